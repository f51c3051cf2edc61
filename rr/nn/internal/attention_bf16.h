// Attention on bf16 products, written once for two ways to multiply: vdpbf16ps and AMX tiles.
// Included by the files of those instruction sets only.
//
// Layouts: queries [rows padded, head_dim] bf16; scores [rows padded, 64] float32; probabilities
// [rows padded, 64] bf16; keys and values as in kv_layout.h, bf16 or 8 bits (Kv). Probabilities are
// rounded to bf16 for the product with the values; their sum is taken before rounding.
//
// Keys and values of 8 bits enter the products as the whole numbers that they are, which bf16 holds
// exactly. The scale of a token's key is worked into its score, that of its value into its
// probability.

#pragma once

#include <immintrin.h>

#include "rr/nn/internal/attention.h"

namespace rr::internal {

// e^x of 16 floats, relative error below 3e-6: well under what rounding to bf16 leaves. As
// exponential() otherwise. Requires x <= 0.
static inline __m512 exponential16(__m512 x) {
  x = _mm512_max_ps(x, _mm512_set1_ps(-88.0f));
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 0);
  const __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f),
                                    _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x));
  __m512 p = _mm512_set1_ps(1.0f / 120);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 24));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 6));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, n);
}

static inline void shrink_row(float* row, std::size_t size, float factor) {
  const __m512 wide = _mm512_set1_ps(factor);
  for (std::size_t d = 0; d < size; d += 16) {
    _mm512_storeu_ps(row + d, _mm512_mul_ps(_mm512_loadu_ps(row + d), wide));
  }
}

// A block as products take it. Scales are those of 8 bits, [64] each.
template <typename Kv>
struct BlockInBf16 {
  const Bf16* keys;
  const Bf16* values;
};
template <>
struct BlockInBf16<std::int8_t> {
  const Bf16* keys;
  const Bf16* values;
  const float* key_scales;
  const float* value_scales;
};

static inline void widen_to_bf16(const std::byte* numbers, std::size_t count, Bf16* out) {
  for (std::size_t i = 0; i < count; i += 32) {
    const __m256i bytes =
        _mm256_loadu_si256(static_cast<const __m256i*>(static_cast<const void*>(numbers + i)));
    const __m512 low = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_castsi256_si128(bytes)));
    const __m512 high =
        _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_extracti128_si256(bytes, 1)));
    _mm512_storeu_si512(out + i, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
  }
}

static inline BlockInBf16<Bf16> block_in_bf16(const std::byte* keys, const std::byte* values,
                                              std::size_t, const Bf16*, Bf16*) {
  return {static_cast<const Bf16*>(static_cast<const void*>(keys)),
          static_cast<const Bf16*>(static_cast<const void*>(values))};
}

// scratch: [2, 64, head_dim]
static inline BlockInBf16<std::int8_t> block_in_bf16(const std::byte* keys, const std::byte* values,
                                                     std::size_t head_dim, const std::int8_t*,
                                                     Bf16* scratch) {
  const std::size_t count = kKvBlockTokens * head_dim;
  widen_to_bf16(keys, count, scratch);
  widen_to_bf16(values, count, scratch + count);
  return {scratch, scratch + count, kv_scales(keys, head_dim), kv_scales(values, head_dim)};
}

// softmax_step() of one row on registers; the probabilities come out in bf16, 0 beyond `count`.
template <typename Kv>
static inline float softmax_step_bf16(const float* scores, std::size_t count, float scale,
                                      const BlockInBf16<Kv>& block, float* max, float* sum,
                                      Bf16* probabilities) {
  constexpr bool kHasScales = sizeof(Kv) == 1;
  const __mmask64 seen = count == kKvBlockTokens ? ~__mmask64{0} : (__mmask64{1} << count) - 1;
  const __m512 factor = _mm512_set1_ps(scale);
  const __m512 nothing = _mm512_set1_ps(negative_infinity());
  __m512 s[4];
  for (int i = 0; i < 4; ++i) {
    const __mmask16 mask = static_cast<__mmask16>(seen >> (16 * i));
    __m512 score = _mm512_loadu_ps(scores + 16 * i);
    if constexpr (kHasScales) {
      score = _mm512_mul_ps(score, _mm512_loadu_ps(block.key_scales + 16 * i));
    }
    s[i] = _mm512_mask_mul_ps(nothing, mask, score, factor);
  }
  const __m512 tops = _mm512_max_ps(_mm512_max_ps(s[0], s[1]), _mm512_max_ps(s[2], s[3]));
  const float block_top = _mm512_reduce_max_ps(tops);
  const float top = block_top > *max ? block_top : *max;
  const float shrink = top == *max ? 1.0f : exponential(*max - top);
  const __m512 wide_top = _mm512_set1_ps(top);
  for (int i = 0; i < 4; ++i) {
    const __mmask16 mask = static_cast<__mmask16>(seen >> (16 * i));
    s[i] = _mm512_maskz_mov_ps(mask, exponential16(_mm512_sub_ps(s[i], wide_top)));
  }
  const __m512 sums = _mm512_add_ps(_mm512_add_ps(s[0], s[1]), _mm512_add_ps(s[2], s[3]));
  if constexpr (kHasScales) {
    for (int i = 0; i < 4; ++i) {
      s[i] = _mm512_mul_ps(s[i], _mm512_loadu_ps(block.value_scales + 16 * i));
    }
  }
  _mm512_storeu_si512(probabilities, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(s[1], s[0])));
  _mm512_storeu_si512(probabilities + 32,
                      reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(s[3], s[2])));
  *max = top;
  *sum = *sum * shrink + _mm512_reduce_add_ps(sums);
  return shrink;
}

static inline void clear_floats(float* values, std::size_t count) {
  for (std::size_t i = 0; i < count; i += 16) _mm512_storeu_ps(values + i, _mm512_setzero_ps());
}

// Products::scores(queries, padded_rows, rows, head_dim, keys, scores)
// Products::accumulate(probabilities, padded_rows, rows, head_dim, values, num_keys, out,
//                      out_stride)
template <typename Products, typename Kv>
static inline void attend_in_bf16(const AttentionTile& tile) {
  const std::size_t padded = padded_attention_rows(tile.rows);
  const Bf16* const queries = static_cast<const Bf16*>(tile.queries);
  float* const scores = static_cast<float*>(static_cast<void*>(tile.scratch));
  Bf16* const probabilities =
      static_cast<Bf16*>(static_cast<void*>(scores + padded * kKvBlockTokens));
  Bf16* const widened = probabilities + padded * kKvBlockTokens;
  clear_floats(tile.out, padded * tile.head_dim);
  // The padding rows' probabilities stay 0 throughout.
  clear_floats(static_cast<float*>(static_cast<void*>(probabilities)), padded * kKvBlockTokens / 2);
  for (std::size_t r = 0; r < tile.rows; ++r) {
    tile.max[r] = negative_infinity();
    tile.sum[r] = 0;
  }
  for (std::size_t b = 0; b < tile.num_blocks; ++b) {
    const BlockInBf16<Kv> block = block_in_bf16(tile.keys[b], tile.values[b], tile.head_dim,
                                                static_cast<const Kv*>(nullptr), widened);
    Products::scores(queries, padded, tile.rows, tile.head_dim, block.keys, scores);
    const std::size_t block_start = tile.first_key + b * kKvBlockTokens;
    std::size_t most = 0;
    for (std::size_t r = 0; r < tile.rows; ++r) {
      const std::size_t count = visible_in_block(tile.visible[r], block_start);
      most = count > most ? count : most;
      if (count == 0) {
        clear_floats(static_cast<float*>(static_cast<void*>(probabilities + r * kKvBlockTokens)),
                     kKvBlockTokens / 2);
        continue;
      }
      const float shrink =
          softmax_step_bf16(scores + r * kKvBlockTokens, count, tile.scale, block, tile.max + r,
                            tile.sum + r, probabilities + r * kKvBlockTokens);
      if (shrink != 1.0f) shrink_row(tile.out + r * tile.head_dim, tile.head_dim, shrink);
    }
    Products::accumulate(probabilities, padded, tile.rows, tile.head_dim, block.values, most,
                         tile.out, tile.head_dim);
  }
}

}  // namespace rr::internal
