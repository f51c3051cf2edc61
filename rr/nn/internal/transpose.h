// Turning numbers in AVX-512 registers, for the files compiled for it only.

#pragma once

#include <immintrin.h>

#include <cstddef>

namespace rr::internal {

// 16 rows of 16 numbers of 32 bits: columns become rows.
static inline void transpose_16x16(__m512i (&m)[16]) {
  __m512i pairs[16];
  for (std::size_t i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_epi32(m[i], m[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_epi32(m[i], m[i + 1]);
  }
  // fours[4 g + c]: columns c, 4 + c, 8 + c and 12 + c of rows 4 g and following.
  __m512i fours[16];
  for (std::size_t i = 0; i < 16; i += 4) {
    fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
    fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
    fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
    fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
  }
  for (std::size_t c = 0; c < 4; ++c) {
    const __m512i low_even = _mm512_shuffle_i32x4(fours[c], fours[4 + c], 0x88);
    const __m512i low_odd = _mm512_shuffle_i32x4(fours[c], fours[4 + c], 0xdd);
    const __m512i high_even = _mm512_shuffle_i32x4(fours[8 + c], fours[12 + c], 0x88);
    const __m512i high_odd = _mm512_shuffle_i32x4(fours[8 + c], fours[12 + c], 0xdd);
    m[c] = _mm512_shuffle_i32x4(low_even, high_even, 0x88);
    m[4 + c] = _mm512_shuffle_i32x4(low_odd, high_odd, 0x88);
    m[8 + c] = _mm512_shuffle_i32x4(low_even, high_even, 0xdd);
    m[12 + c] = _mm512_shuffle_i32x4(low_odd, high_odd, 0xdd);
  }
}

// Words of two rows of 32 in turn: even[0], odd[0], even[1], odd[1], ... to `out`, 64 of them.
static inline void interleave_words(__m512i even, __m512i odd, void* out) {
  const __m512i words =
      _mm512_set_epi32(0x002f000f, 0x002e000e, 0x002d000d, 0x002c000c, 0x002b000b, 0x002a000a,
                       0x00290009, 0x00280008, 0x00270007, 0x00260006, 0x00250005, 0x00240004,
                       0x00230003, 0x00220002, 0x00210001, 0x00200000);
  const __m512i later_words = _mm512_add_epi16(words, _mm512_set1_epi16(16));
  char* const to = static_cast<char*>(out);
  _mm512_storeu_si512(to, _mm512_permutex2var_epi16(even, words, odd));
  _mm512_storeu_si512(to + 64, _mm512_permutex2var_epi16(even, later_words, odd));
}

// The 16 words of the lower half and of the upper half in turn.
static inline __m512i interleave_halves(__m512bh halves) {
  const __m512i words =
      _mm512_set_epi32(0x001f000f, 0x001e000e, 0x001d000d, 0x001c000c, 0x001b000b, 0x001a000a,
                       0x00190009, 0x00180008, 0x00170007, 0x00160006, 0x00150005, 0x00140004,
                       0x00130003, 0x00120002, 0x00110001, 0x00100000);
  return _mm512_permutexvar_epi16(words, reinterpret_cast<__m512i>(halves));
}

}  // namespace rr::internal
