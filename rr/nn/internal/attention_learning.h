#pragma once

#include <cstddef>

#include "rr/base/exponential.h"
#include "rr/nn/internal/bf16.h"
#include "rr/nn/internal/small_product.h"

namespace rr::internal {

// The way back through attention of one head, in tiles of 64 queries by 64 keys: never a matrix of
// all scores. The way forward is the decoder's (learner_attention.h); each tile's probabilities are
// recomputed from the kept logarithm of their sum (Dao et al., arXiv 2205.14135, section 3.1 and
// appendix B):
//
//   p(r, t)  = exp(scale * <q_r, k_t> - lse_r)                      t visible to r, else 0
//   d_v_t   += sum_r p(r, t) * g_r                                  g: gradient of the output
//   d_s(r,t) = scale * p(r, t) * (<g_r, v_t> - <g_r, out_r>)
//   d_q_r   += sum_t d_s(r, t) * k_t      d_k_t += sum_r d_s(r, t) * q_r
constexpr std::size_t kLearningTile = 64;

// Some following keys of one segment, at most kLearningTile.
struct KeyRows {
  const float* keys;    // [count, stride]
  const float* values;  // [count, stride]
  std::size_t stride;
  std::size_t count;
};

struct KeyTile {
  KeyRows rows;
  const std::byte* packed;  // from them, by pack_key_tile
  float* d_keys;            // [count, gradient_stride], added to
  float* d_values;          // the same
  std::size_t gradient_stride;
};

// Some following queries of one segment and head, at most kLearningTile, and all key tiles that any
// of them sees. All tiles but the last `num_own` are seen whole; of the own ones, query r
// sees the keys up to its own: key t of tile i iff i * kLearningTile + t <= first_query + r.
struct QueryTile {
  const float* queries;  // [count, query_stride]
  std::size_t query_stride;
  std::size_t count;
  std::size_t first_query;  // within its segment
  std::size_t head_dim;
  float scale;

  const KeyTile* tiles;
  std::size_t num_tiles;
  std::size_t num_own;

  const float* log_sums;  // [count], of the forward pass
  const float* out;       // [count, out_stride], the same
  std::size_t out_stride;

  const float* d_out;  // [count, out_stride]
  float* d_queries;    // [count, query_stride], written
};

// Tiles of queries of one segment and head go through the key tiles together, so that these, and
// the gradients that are added to, come into a core's cache once for all of them. They are in the
// order of their queries; the key tiles of one are the first of those of the next.
constexpr std::size_t kQueryGroup = 4;
struct QueryGroup {
  const QueryTile* queries;
  std::size_t count;   // at most kQueryGroup
  std::byte* scratch;  // AttentionBackward::scratch_bytes(head_dim)
};

static inline std::size_t attention_learning_bytes(std::size_t) {
  return kLearningTile * (2 * kLearningTile + kQueryGroup) * sizeof(float);
}

// Packed: keys by dimension [head_dim, kLearningTile], values the same, zeros beyond count.
static inline std::size_t key_tile_bytes(std::size_t head_dim) {
  return 2 * head_dim * kLearningTile * sizeof(float);
}

static inline void pack_key_tile(const KeyRows& rows, std::size_t head_dim, std::byte* packed) {
  float* const keys = static_cast<float*>(static_cast<void*>(packed));
  float* const values = keys + head_dim * kLearningTile;
  if (rows.count < kLearningTile) __builtin_memset(packed, 0, key_tile_bytes(head_dim));
  for (std::size_t t = 0; t < rows.count; ++t) {
    for (std::size_t d = 0; d < head_dim; ++d) {
      keys[d * kLearningTile + t] = rows.keys[t * rows.stride + d];
      values[d * kLearningTile + t] = rows.values[t * rows.stride + d];
    }
  }
}

static inline std::size_t visible_keys(const QueryTile& query, std::size_t tile, std::size_t row) {
  const std::size_t count = query.tiles[tile].rows.count;
  const std::size_t num_shared = query.num_tiles - query.num_own;
  if (tile < num_shared) return count;
  const std::size_t first = (tile - num_shared) * kLearningTile;
  const std::size_t last = query.first_query + row;  // the last key that the row sees
  if (last < first) return 0;
  return last - first + 1 < count ? last - first + 1 : count;
}

// scores [count, kLearningTile] = rows [count, stride] * columns [head_dim, kLearningTile]
static inline void tile_scores(const float* rows, std::size_t stride, const float* columns,
                               std::size_t count, std::size_t head_dim, float* scores) {
  set_product({rows, stride, 1}, RightRows<float>{columns, kLearningTile}, count, kLearningTile,
              head_dim, scores, kLearningTile);
}

// Scores and <g, v> of a tile into p and d_s.
static inline void tile_gradients(const QueryTile& query, std::size_t tile, const float* shares,
                                  float* scores, float* d_scores) {
  for (std::size_t r = 0; r < query.count; ++r) {
    float* const p = scores + r * kLearningTile;
    float* const ds = d_scores + r * kLearningTile;
    const std::size_t visible = visible_keys(query, tile, r);
    const float log_sum = query.log_sums[r];
    const float share = shares[r];
    for (std::size_t t = visible; t < kLearningTile; ++t) p[t] = -__builtin_inff();
    for (std::size_t t = 0; t < kLearningTile; ++t) {
      p[t] = exponential(p[t] * query.scale - log_sum);
      ds[t] = query.scale * p[t] * (ds[t] - share);
    }
    for (std::size_t t = visible; t < kLearningTile; ++t) ds[t] = 0;
  }
}

// What one key tile and one tile of queries give each other.
static inline void attend_tile_backward(const QueryTile& query, std::size_t tile,
                                        const float* shares, float* scores, float* d_scores) {
  const std::size_t head_dim = query.head_dim;
  const KeyTile& keys = query.tiles[tile];
  const auto* const by_dimension = static_cast<const float*>(static_cast<const void*>(keys.packed));
  tile_scores(query.queries, query.query_stride, by_dimension, query.count, head_dim, scores);
  tile_scores(query.d_out, query.out_stride, by_dimension + head_dim * kLearningTile, query.count,
              head_dim, d_scores);
  tile_gradients(query, tile, shares, scores, d_scores);
  const std::size_t num_keys = keys.rows.count;
  const RightRows<float> g = {query.d_out, query.out_stride};
  const RightRows<float> queries = {query.queries, query.query_stride};
  const RightRows<float> key_rows = {keys.rows.keys, keys.rows.stride};
  add_product({scores, 1, kLearningTile}, g, num_keys, head_dim, query.count, keys.d_values,
              keys.gradient_stride);
  add_product({d_scores, 1, kLearningTile}, queries, num_keys, head_dim, query.count, keys.d_keys,
              keys.gradient_stride);
  add_product({d_scores, kLearningTile, 1}, key_rows, query.count, head_dim, num_keys,
              query.d_queries, query.query_stride);
}

static inline void attend_learning_backward(const QueryGroup& group) {
  float* const scores = static_cast<float*>(static_cast<void*>(group.scratch));
  float* const d_scores = scores + kLearningTile * kLearningTile;
  float* const shares = d_scores + kLearningTile * kLearningTile;  // <g_r, out_r> of each tile
  for (std::size_t q = 0; q < group.count; ++q) {
    const QueryTile& query = group.queries[q];
    for (std::size_t r = 0; r < query.count; ++r) {
      const float* const g = query.d_out + r * query.out_stride;
      const float* const out = query.out + r * query.out_stride;
      float sum = 0;
      for (std::size_t d = 0; d < query.head_dim; ++d) sum += g[d] * out[d];
      shares[q * kLearningTile + r] = sum;
      for (std::size_t d = 0; d < query.head_dim; ++d) {
        query.d_queries[r * query.query_stride + d] = 0;
      }
    }
  }
  for (std::size_t tile = 0; tile < group.queries[group.count - 1].num_tiles; ++tile) {
    for (std::size_t q = 0; q < group.count; ++q) {
      if (tile >= group.queries[q].num_tiles) continue;
      attend_tile_backward(group.queries[q], tile, shares + q * kLearningTile, scores, d_scores);
    }
  }
}

}  // namespace rr::internal
