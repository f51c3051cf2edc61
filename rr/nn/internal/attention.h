#pragma once

#include <cstddef>
#include <cstdint>

#include "rr/nn/internal/bf16.h"
#include "rr/nn/internal/exponential.h"
#include "rr/nn/internal/kv_layout.h"

namespace rr::internal {

// Attention of a tile of queries to one segment of a sequence's keys, without a matrix of all
// scores: blocks of keys come one after another, and a running maximum and sum of each query
// (online softmax: Milakov and Gimelshein, arXiv 1805.02867; Dao et al., arXiv 2205.14135) keep the
// result exact. Scores, maxima and sums are float32.
//
//   score(r, t) = scale * <query_r, key_t>          t < visible[r]; other keys do not exist for r
//   max_r  = max_t score(r, t)                      -infinity where no key is visible
//   sum_r  = sum_t exp(score(r, t) - max_r)         0 then
//   out_r  = sum_t exp(score(r, t) - max_r) * value_t
//
// The rows of a tile are queries of any heads that share the KV head. No row depends on the others
// of its tile.
struct AttentionTile {
  const void* queries;   // [rows padded to kAttentionRows, head_dim], floats or Bf16 by kernel
  std::size_t rows;      // >= 1
  std::size_t head_dim;  // even
  const std::size_t* visible;  // [rows]: keys of the sequence that each row sees
  float scale;

  const std::byte* const* keys;    // a block each (kv_layout.h), head `kv_head` of the layer
  const std::byte* const* values;  // the same
  std::size_t num_blocks;
  std::size_t first_key;  // position in the sequence of the first block's first token

  float* max;          // [rows], written
  float* sum;          // [rows], written
  float* out;          // [rows padded, head_dim], written
  std::byte* scratch;  // attention_scratch_bytes, on a cache line
};

// Kernels may read and write whole groups of this many rows.
constexpr std::size_t kAttentionRows = 16;

static constexpr std::size_t padded_attention_rows(std::size_t rows) {
  return (rows + kAttentionRows - 1) / kAttentionRows * kAttentionRows;
}

// Enough for every kernel: scores and probabilities of a block, and its keys and values in float32.
static constexpr std::size_t attention_scratch_bytes(std::size_t rows, std::size_t head_dim) {
  return sizeof(float) *
         (2 * padded_attention_rows(rows) * kKvBlockTokens + 2 * kKvBlockTokens * head_dim);
}

// How many keys of the block that begins at `block_start` a row with `visible` keys sees.
static inline std::size_t visible_in_block(std::size_t visible, std::size_t block_start) {
  if (visible <= block_start) return 0;
  const std::size_t count = visible - block_start;
  return count < kKvBlockTokens ? count : kKvBlockTokens;
}

static inline float negative_infinity() { return -__builtin_inff(); }

// Keys and values of a block as float32; blocks that are float32 are used where they lie.
static inline void block_as_float(const std::byte* keys, const std::byte* values,
                                  std::size_t head_dim, const float* unused, float* scratch,
                                  const float** key_floats, const float** value_floats) {
  (void)unused;
  (void)scratch;
  (void)head_dim;
  *key_floats = static_cast<const float*>(static_cast<const void*>(keys));
  *value_floats = static_cast<const float*>(static_cast<const void*>(values));
}

static inline float kv_number(Bf16 number, const float*, std::size_t) { return to_float(number); }

static inline float kv_number(std::int8_t number, const float* scales, std::size_t token) {
  return static_cast<float>(number) * scales[token];
}

// Of numbers that lie in pairs: bf16, and 8 bits with their scales.
template <typename Kv>
static inline void block_as_float(const std::byte* keys, const std::byte* values,
                                  std::size_t head_dim, const Kv* unused, float* scratch,
                                  const float** key_floats, const float** value_floats) {
  (void)unused;
  const Kv* const k = static_cast<const Kv*>(static_cast<const void*>(keys));
  const Kv* const v = static_cast<const Kv*>(static_cast<const void*>(values));
  const float* const key_scales = kv_scales(keys, head_dim);
  const float* const value_scales = kv_scales(values, head_dim);
  float* const out_keys = scratch;
  float* const out_values = scratch + kKvBlockTokens * head_dim;
  for (std::size_t d = 0; d < head_dim; d += 2) {
    for (std::size_t t = 0; t < kKvBlockTokens; ++t) {
      const Kv* const pair = k + (d * kKvBlockTokens + 2 * t);
      out_keys[d * kKvBlockTokens + t] = kv_number(pair[0], key_scales, t);
      out_keys[(d + 1) * kKvBlockTokens + t] = kv_number(pair[1], key_scales, t);
    }
  }
  for (std::size_t t = 0; t < kKvBlockTokens; t += 2) {
    for (std::size_t d = 0; d < head_dim; ++d) {
      const Kv* const pair = v + (t * head_dim + 2 * d);
      out_values[t * head_dim + d] = kv_number(pair[0], value_scales, t);
      out_values[(t + 1) * head_dim + d] = kv_number(pair[1], value_scales, t + 1);
    }
  }
  *key_floats = out_keys;
  *value_floats = out_values;
}

// Turns the scores of one row and block into probabilities against the new running maximum, and
// gives the factor by which what was summed before must shrink. Scores beyond `count` are masked.
static inline float softmax_step(float* scores, std::size_t count, float scale, float* max,
                                 float* sum) {
  constexpr std::size_t kLanes = 16;
  for (std::size_t t = count; t < kKvBlockTokens; ++t) scores[t] = negative_infinity();
  float tops[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) tops[i] = negative_infinity();
  for (std::size_t t = 0; t < kKvBlockTokens; t += kLanes) {
    for (std::size_t i = 0; i < kLanes; ++i) {
      scores[t + i] *= scale;
      tops[i] = scores[t + i] > tops[i] ? scores[t + i] : tops[i];
    }
  }
  float top = *max;
  for (std::size_t i = 0; i < kLanes; ++i) top = tops[i] > top ? tops[i] : top;
  const float shrink = top == *max ? 1.0f : exponential(*max - top);
  float sums[kLanes] = {};
  for (std::size_t t = 0; t < kKvBlockTokens; t += kLanes) {
    for (std::size_t i = 0; i < kLanes; ++i) {
      scores[t + i] = exponential(scores[t + i] - top);
      sums[i] += scores[t + i];
    }
  }
  float total = 0;
  for (std::size_t i = 0; i < kLanes; ++i) total += sums[i];
  *max = top;
  *sum = *sum * shrink + total;
  return shrink;
}

// sums [kWidth] += sum_i factors_i * rows_i, rows [count, stride]. kWidth is known to the
// compiler, so that the sums stay in registers.
template <std::size_t kWidth>
static inline void add_weighted_rows(const float* factors, std::size_t count, const float* rows,
                                     std::size_t stride, float* sums) {
  float totals[kWidth];
  for (std::size_t j = 0; j < kWidth; ++j) totals[j] = sums[j];
  for (std::size_t i = 0; i < count; ++i) {
    const float factor = factors[i];
    const float* const row = rows + i * stride;
    for (std::size_t j = 0; j < kWidth; ++j) totals[j] += factor * row[j];
  }
  for (std::size_t j = 0; j < kWidth; ++j) sums[j] = totals[j];
}

// One row against one block in float32: keys [head_dim, 64], values [64, head_dim].
static inline void attend_row(const float* query, const float* keys, const float* values,
                              std::size_t head_dim, std::size_t count, float scale, float* scores,
                              float* max, float* sum, float* out) {
#ifdef __AVX512F__
  constexpr std::size_t kWidth = 64;  // four vectors
#else
  constexpr std::size_t kWidth = 32;  // eight of SSE2, four of AVX2
#endif
  for (std::size_t t = 0; t < kKvBlockTokens; ++t) scores[t] = 0;
  for (std::size_t t = 0; t < kKvBlockTokens; t += kWidth) {
    add_weighted_rows<kWidth>(query, head_dim, keys + t, kKvBlockTokens, scores + t);
  }
  const float shrink = softmax_step(scores, count, scale, max, sum);
  for (std::size_t d = 0; d < head_dim; ++d) out[d] *= shrink;
  std::size_t d = 0;
  for (; d + kWidth <= head_dim; d += kWidth) {
    add_weighted_rows<kWidth>(scores, count, values + d, head_dim, out + d);
  }
  for (; d < head_dim; ++d) {
    add_weighted_rows<1>(scores, count, values + d, head_dim, out + d);
  }
}

// The kernel for any machine: queries in float32, keys and values float32, bf16 or 8 bits (Kv).
template <typename Kv>
static inline void attend_in_float32(const AttentionTile& tile) {
  const float* const queries = static_cast<const float*>(tile.queries);
  float* const scratch = static_cast<float*>(static_cast<void*>(tile.scratch));
  float* const scores = scratch + 2 * kKvBlockTokens * tile.head_dim;
  for (std::size_t r = 0; r < tile.rows; ++r) {
    tile.max[r] = negative_infinity();
    tile.sum[r] = 0;
    for (std::size_t d = 0; d < tile.head_dim; ++d) tile.out[r * tile.head_dim + d] = 0;
  }
  for (std::size_t b = 0; b < tile.num_blocks; ++b) {
    const float* keys;
    const float* values;
    block_as_float(tile.keys[b], tile.values[b], tile.head_dim, static_cast<const Kv*>(nullptr),
                   scratch, &keys, &values);
    const std::size_t block_start = tile.first_key + b * kKvBlockTokens;
    for (std::size_t r = 0; r < tile.rows; ++r) {
      const std::size_t count = visible_in_block(tile.visible[r], block_start);
      if (count == 0) continue;
      attend_row(queries + r * tile.head_dim, keys, values, tile.head_dim, count, tile.scale,
                 scores, tile.max + r, tile.sum + r, tile.out + r * tile.head_dim);
    }
  }
}

// Adds the result of a later segment to that of the segments before it, row by row. Segments are
// always merged in their order, so that the result is the same however they were computed.
static inline void merge_attention(std::size_t rows, std::size_t head_dim, const float* max,
                                   const float* sum, const float* out, float* total_max,
                                   float* total_sum, float* total_out) {
  for (std::size_t r = 0; r < rows; ++r) {
    if (sum[r] == 0.0f) continue;
    const float top = max[r] > total_max[r] ? max[r] : total_max[r];
    const float old_share = exponential(total_max[r] - top);
    const float new_share = exponential(max[r] - top);
    total_max[r] = top;
    total_sum[r] = total_sum[r] * old_share + sum[r] * new_share;
    float* const row = total_out + r * head_dim;
    const float* const added = out + r * head_dim;
    for (std::size_t d = 0; d < head_dim; ++d) row[d] = row[d] * old_share + added[d] * new_share;
  }
}

}  // namespace rr::internal
