// Tiles of a packed weight in bf16, for the files compiled for AVX512_BF16 only: 32 inputs of 16
// outputs, [16 pairs of inputs][16 outputs][2], the pairs `pair_stride` elements apart.

#pragma once

#include <immintrin.h>

#include <cstddef>

#include "rr/nn/internal/bf16.h"
#include "rr/nn/internal/transpose.h"

namespace rr::internal {

// From 16 rows of outputs, of which those from num_rows on are zeros.
static inline void pack_tile(const float* weight, std::size_t num_rows, std::size_t num_inputs,
                             std::size_t pair_stride, Bf16* tile) {
  __m512i pairs[16];
  for (std::size_t row = 0; row < 16; ++row) {
    const float* const from = weight + row * num_inputs;
    pairs[row] = row < num_rows ? reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(
                                      _mm512_loadu_ps(from + 16), _mm512_loadu_ps(from)))
                                : _mm512_setzero_si512();
  }
  transpose_16x16(pairs);
  for (std::size_t i = 0; i < 16; ++i) _mm512_storeu_si512(tile + pair_stride * i, pairs[i]);
}

// From 32 rows of inputs: rows[input][first_output], of which those outside the mask are zeros.
static inline void pack_column_tile(const float* const* rows, std::size_t first_output,
                                    __mmask16 mask, std::size_t pair_stride, Bf16* tile) {
  for (std::size_t i = 0; i < 16; ++i) {
    const __m512 even = _mm512_maskz_loadu_ps(mask, rows[2 * i] + first_output);
    const __m512 odd = _mm512_maskz_loadu_ps(mask, rows[2 * i + 1] + first_output);
    _mm512_storeu_si512(tile + pair_stride * i, interleave_halves(_mm512_cvtne2ps_pbh(odd, even)));
  }
}

}  // namespace rr::internal
