#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "rr/base/exponential.h"
#include "rr/nn/internal/bf16.h"
#include "rr/nn/internal/kv_layout.h"
#include "rr/nn/internal/small_product.h"

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

// The firsts and the seconds of `count` pairs, apart. Pairs stand in the order of x86-64 and
// aarch64, the first one low.
static inline void widen_pairs(const Bf16* __restrict pairs, std::size_t count,
                               float* __restrict firsts, float* __restrict seconds) {
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t pair;
    std::memcpy(&pair, pairs + 2 * i, sizeof pair);
    const std::uint32_t first = pair << 16;
    const std::uint32_t second = pair & 0xffff0000u;
    std::memcpy(firsts + i, &first, sizeof first);
    std::memcpy(seconds + i, &second, sizeof second);
  }
}

static inline void widen_pairs(const std::int8_t* __restrict pairs, std::size_t count,
                               float* __restrict firsts, float* __restrict seconds) {
  for (std::size_t i = 0; i < count; ++i) {
    firsts[i] = static_cast<float>(pairs[2 * i]);
    seconds[i] = static_cast<float>(pairs[2 * i + 1]);
  }
}

static inline void scale_block(const float*, const float*, std::size_t, const Bf16*, float*,
                               float*) {}

static inline void scale_block(const float* __restrict key_scales,
                               const float* __restrict value_scales, std::size_t head_dim,
                               const std::int8_t*, float* __restrict keys,
                               float* __restrict values) {
  for (std::size_t d = 0; d < head_dim; ++d) {
    for (std::size_t t = 0; t < kKvBlockTokens; ++t) keys[d * kKvBlockTokens + t] *= key_scales[t];
  }
  for (std::size_t t = 0; t < kKvBlockTokens; ++t) {
    const float scale = value_scales[t];
    for (std::size_t d = 0; d < head_dim; ++d) values[t * head_dim + d] *= scale;
  }
}

// Of numbers that lie in pairs: bf16, and 8 bits with their scales.
template <typename Kv>
static inline void block_as_float(const std::byte* keys, const std::byte* values,
                                  std::size_t head_dim, const Kv* unused, float* scratch,
                                  const float** key_floats, const float** value_floats) {
  const Kv* const k = static_cast<const Kv*>(static_cast<const void*>(keys));
  const Kv* const v = static_cast<const Kv*>(static_cast<const void*>(values));
  float* const out_keys = scratch;
  float* const out_values = scratch + kKvBlockTokens * head_dim;
  for (std::size_t d = 0; d < head_dim; d += 2) {
    float* const row = out_keys + d * kKvBlockTokens;
    widen_pairs(k + d * kKvBlockTokens, kKvBlockTokens, row, row + kKvBlockTokens);
  }
  for (std::size_t t = 0; t < kKvBlockTokens; t += 2) {
    float* const row = out_values + t * head_dim;
    widen_pairs(v + t * head_dim, head_dim, row, row + head_dim);
  }
  scale_block(kv_scales(keys, head_dim), kv_scales(values, head_dim), head_dim, unused, out_keys,
              out_values);
  *key_floats = out_keys;
  *value_floats = out_values;
}

// Turns the scores of one row and block into probabilities against the new running maximum, and
// gives the factor by which what was summed before must shrink. Scores beyond `count` are masked.
static inline float softmax_step(float* scores, std::size_t count, float scale, float* max,
                                 float* sum) {
  for (std::size_t t = count; t < kKvBlockTokens; ++t) scores[t] = negative_infinity();
  ProductVector tops = fill_vector(*max);
  for (std::size_t t = 0; t < kKvBlockTokens; t += kProductLanes) {
    const ProductVector scaled = load_vector(scores + t) * scale;
    store_vector(scaled, scores + t);
    tops = scaled > tops ? scaled : tops;
  }
  const float top = largest_lane(tops);
  const float shrink = top == *max ? 1.0f : exponential(*max - top);
  for (std::size_t t = 0; t < kKvBlockTokens; ++t) scores[t] = exponential(scores[t] - top);
  ProductVector sums = {};
  for (std::size_t t = 0; t < kKvBlockTokens; t += kProductLanes) sums += load_vector(scores + t);
  *max = top;
  *sum = *sum * shrink + sum_of_lanes(sums);
  return shrink;
}

// Some rows of a tile, kRowsAtOnce at most, against one block in float32: keys [head_dim, 64],
// values [64, head_dim]. `scores` has room for as many rows.
constexpr std::size_t kRowsAtOnce = 4;

template <typename Right>
static inline void attend_rows(const AttentionTile& tile, std::size_t first, std::size_t rows,
                               Right keys, Right values, std::size_t block_start, float* scores) {
  const std::size_t head_dim = tile.head_dim;
  const float* const queries = static_cast<const float*>(tile.queries) + first * head_dim;
  float* const out = tile.out + first * head_dim;
  set_product({queries, head_dim, 1}, keys, rows, kKvBlockTokens, head_dim, scores, kKvBlockTokens);
  std::size_t most = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    float* const row = scores + r * kKvBlockTokens;
    const std::size_t count = visible_in_block(tile.visible[first + r], block_start);
    most = count > most ? count : most;
    if (count == 0) {
      for (std::size_t t = 0; t < kKvBlockTokens; ++t) row[t] = 0;
      continue;
    }
    const float shrink =
        softmax_step(row, count, tile.scale, tile.max + first + r, tile.sum + first + r);
    if (shrink == 1.0f) continue;
    for (std::size_t d = 0; d < head_dim; ++d) out[r * head_dim + d] *= shrink;
  }
  // A key that its row does not see counts 0; one that none of them sees may be anything.
  add_product({scores, kKvBlockTokens, 1}, values, rows, head_dim, most, out, head_dim);
}

template <typename Right>
static inline void attend_block(const AttentionTile& tile, Right keys, Right values,
                                std::size_t block_start, float* scores) {
  for (std::size_t r = 0; r < tile.rows; r += kRowsAtOnce) {
    const std::size_t rows = tile.rows - r < kRowsAtOnce ? tile.rows - r : kRowsAtOnce;
    attend_rows(tile, r, rows, keys, values, block_start, scores);
  }
}

// Where a tile has so few rows, pairs of bf16 are widened as they are read.
constexpr std::size_t kRowsOnPairs = 8;

static inline RightPairs pairs_of(const std::byte* numbers, std::size_t width) {
  return {static_cast<const Bf16*>(static_cast<const void*>(numbers)), width};
}

// The kernel for any machine: queries in float32, keys and values float32, bf16 or 8 bits (Kv).
template <typename Kv>
static inline void attend_in_float32(const AttentionTile& tile) {
  const bool on_pairs = sizeof(Kv) == sizeof(Bf16) && tile.rows <= kRowsOnPairs;
  float* const scratch = static_cast<float*>(static_cast<void*>(tile.scratch));
  float* const scores = scratch + 2 * kKvBlockTokens * tile.head_dim;
  for (std::size_t r = 0; r < tile.rows; ++r) {
    tile.max[r] = negative_infinity();
    tile.sum[r] = 0;
    for (std::size_t d = 0; d < tile.head_dim; ++d) tile.out[r * tile.head_dim + d] = 0;
  }
  for (std::size_t b = 0; b < tile.num_blocks; ++b) {
    const std::size_t block_start = tile.first_key + b * kKvBlockTokens;
    if (on_pairs) {
      attend_block(tile, pairs_of(tile.keys[b], kKvBlockTokens),
                   pairs_of(tile.values[b], tile.head_dim), block_start, scores);
      continue;
    }
    const float* keys;
    const float* values;
    block_as_float(tile.keys[b], tile.values[b], tile.head_dim, static_cast<const Kv*>(nullptr),
                   scratch, &keys, &values);
    attend_block(tile, RightRows<float>{keys, kKvBlockTokens},
                 RightRows<float>{values, tile.head_dim}, block_start, scores);
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
