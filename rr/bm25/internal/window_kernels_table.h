// The table of WindowKernels for the instruction set that the including file is compiled for.
// Includes nothing that could leave an inline function of this instruction set to the rest of the
// program.

#pragma once

#if defined(__SSE2__)
#include <immintrin.h>
#endif
#include <string.h>  // NOLINT: memcpy alone

#include "rr/bm25/internal/window_kernels.h"

namespace rr::internal {

#if defined(__AVX512BW__)
static constexpr std::size_t kVectorBytes = 64;
#elif defined(__AVX2__)
static constexpr std::size_t kVectorBytes = 32;
#else
static constexpr std::size_t kVectorBytes = 16;
#endif
using ByteVector [[gnu::vector_size(kVectorBytes)]] = std::uint8_t;
using WordVector [[gnu::vector_size(kVectorBytes)]] = std::uint16_t;

static inline ByteVector load(const std::uint8_t* bytes) {
  ByteVector vector;
  memcpy(&vector, bytes, sizeof vector);
  return vector;
}

// The table's bytes at the places, which are below 16; the table repeats every 16 bytes.
static inline ByteVector look_up(ByteVector table, ByteVector places) {
#if defined(__AVX512BW__)
  return reinterpret_cast<ByteVector>(
      _mm512_shuffle_epi8(reinterpret_cast<__m512i>(table), reinterpret_cast<__m512i>(places)));
#elif defined(__AVX2__)
  return reinterpret_cast<ByteVector>(
      _mm256_shuffle_epi8(reinterpret_cast<__m256i>(table), reinterpret_cast<__m256i>(places)));
#else
  ByteVector found;
  for (std::size_t i = 0; i < kVectorBytes; ++i) found[i] = table[places[i]];
  return found;
#endif
}

static inline ByteVector shift_left(ByteVector bytes, int bits) {  // bits of neighbours come in
  return reinterpret_cast<ByteVector>(reinterpret_cast<WordVector>(bytes) << bits);
}
static inline ByteVector shift_right(ByteVector bytes, int bits) {  // here as well
  return reinterpret_cast<ByteVector>(reinterpret_cast<WordVector>(bytes) >> bits);
}

// The four documents of a byte are apart by so many.
static constexpr std::size_t kQuarter = 64;

// The weights that each document of a group has by code 1, 2 and 3.
struct GroupWeights {
  std::uint8_t of[3][4 * kQuarter];
};

// Sums them for two quarters of the group: kOdd, the second and fourth, or the first and third. The
// codes of a pair of terms come together in four bits, which are looked up in the pair's weights.
template <bool kOdd>
static inline void sum_weights(const DensePair* pairs, std::size_t num_pairs, std::size_t at,
                               std::uint8_t* sums_out) {
  constexpr ByteVector kZero{};
  const ByteVector low_codes = kZero + std::uint8_t{0x33};
  const ByteVector low_half = kZero + std::uint8_t{0x0F};
  ByteVector sums[2][3] = {};
  for (std::size_t p = 0; p < num_pairs; ++p) {
    const ByteVector a = load(pairs[p].codes[0] + at);
    const ByteVector b = load(pairs[p].codes[1] + at);
    const ByteVector both = kOdd ? (shift_right(a, 2) & low_codes) | (b & ~low_codes)
                                 : (a & low_codes) | (shift_left(b, 2) & ~low_codes);
    const ByteVector places[2] = {both & low_half, shift_right(both, 4) & low_half};
    for (std::size_t c = 0; c < 3; ++c) {
      const ByteVector weights = load(pairs[p].weights[c].data());
      for (std::size_t half = 0; half < 2; ++half) sums[half][c] += look_up(weights, places[half]);
    }
  }
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t half = 0; half < 2; ++half) {
      const std::size_t quarter = 2 * half + (kOdd ? 1 : 0);
      memcpy(sums_out + (4 * c + quarter) * kQuarter, &sums[half][c], kVectorBytes);
    }
  }
}

static inline void add_products(const GroupWeights& weights, const std::uint8_t* const* shares,
                                std::size_t first, std::uint16_t* sums) {
  const std::uint8_t* const once = shares[0] + first;
  const std::uint8_t* const twice = shares[1] + first;
  const std::uint8_t* const thrice = shares[2] + first;
  std::uint16_t added[4 * kQuarter];
  for (std::size_t i = 0; i < 4 * kQuarter; ++i) {
    const auto sum =
        static_cast<std::uint16_t>(weights.of[0][i] * once[i] + weights.of[1][i] * twice[i] +
                                   weights.of[2][i] * thrice[i] + 255);
    added[i] = sum >> 8;
  }
  for (std::size_t i = 0; i < 4 * kQuarter; ++i) {
    sums[first + i] = static_cast<std::uint16_t>(sums[first + i] + added[i]);
  }
}

static inline void add_dense(const DensePair* pairs, std::size_t num_pairs, std::size_t first_byte,
                             const std::uint8_t* const* shares, std::size_t num_docs,
                             std::uint16_t* sums) {
  GroupWeights weights;
  for (std::size_t first = 0; first < num_docs; first += 4 * kQuarter) {
    for (std::size_t i = 0; i < kQuarter; i += kVectorBytes) {
      const std::size_t at = first_byte + first / 4 + i;
      sum_weights<false>(pairs, num_pairs, at, weights.of[0] + i);
      sum_weights<true>(pairs, num_pairs, at, weights.of[0] + i);
    }
    add_products(weights, shares, first, sums);
  }
}

// A bit for each of 32 sums, 1 where it is at least `cut`.
static inline std::uint32_t mask_at_least(const std::uint16_t* sums, std::uint16_t cut) {
#if defined(__AVX512BW__)
  const __m512i words = _mm512_loadu_si512(sums);
  return _mm512_cmpge_epu16_mask(words, _mm512_set1_epi16(static_cast<short>(cut)));
#elif defined(__SSE2__)
  // x >= cut where cut - x, not below 0, is 0. The bytes of two vectors' answers make one mask.
  const __m128i cuts = _mm_set1_epi16(static_cast<short>(cut));
  const auto reaches = [&](int i) {
    const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(sums) + i);
    return _mm_cmpeq_epi16(_mm_subs_epu16(cuts, words), _mm_setzero_si128());
  };
  const int low = _mm_movemask_epi8(_mm_packs_epi16(reaches(0), reaches(1)));
  const int high = _mm_movemask_epi8(_mm_packs_epi16(reaches(2), reaches(3)));
  return static_cast<std::uint32_t>(low) | static_cast<std::uint32_t>(high) << 16;
#else
  std::uint32_t mask = 0;
  for (std::uint32_t i = 0; i < 32; ++i) mask |= (sums[i] >= cut ? 1U : 0U) << i;
  return mask;
#endif
}

static inline std::size_t count_at_least(const std::uint16_t* sums, std::size_t num_docs,
                                         std::uint16_t cut) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < num_docs; i += 32) {
    count += static_cast<std::size_t>(__builtin_popcount(mask_at_least(sums + i, cut)));
  }
  return count;
}

static inline std::uint16_t highest(const std::uint16_t* sums, std::size_t num_docs) {
  std::uint16_t best = 0;
  for (std::size_t i = 0; i < num_docs; ++i) {
    best = sums[i] > best ? sums[i] : best;
  }
  return best;
}

static inline std::size_t places_between(const std::uint16_t* sums, std::size_t num_docs,
                                         std::uint16_t low, std::uint16_t high,
                                         std::uint32_t* places) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < num_docs; i += 32) {
    for (std::uint32_t mask = mask_at_least(sums + i, low); mask != 0; mask &= mask - 1) {
      const std::size_t place = i + static_cast<std::size_t>(__builtin_ctz(mask));
      places[count] = static_cast<std::uint32_t>(place);
      count += sums[place] <= high ? 1U : 0U;
    }
  }
  return count;
}

static inline WindowKernels make_window_kernels() {
  return {add_dense, count_at_least, highest, places_between};
}

}  // namespace rr::internal
