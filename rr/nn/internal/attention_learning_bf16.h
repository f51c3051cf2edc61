// The way back through attention on bf16 products, written once for the two ways to multiply of
// attention_bf16.h. Included by the files of those instruction sets only.
//
// A tile's scores are computed with keys for rows and queries for columns:
//
//   S = K Q^T    P = exp(scale * S - lse)    D = V G^T    E = scale * P * (D - <g, out>)
//   d_v += P G         d_k += E Q         d_q^T += K^T E
//
// so that P and E are the left sides that d_v and d_k want, and log-sums stand along vectors.
// Queries, keys and values are in bf16 already, as the way forward took them; g, P and E are
// rounded to it. What goes into d_k, d_v and d_q is summed in float32.

#pragma once

#include <immintrin.h>

#include "rr/nn/internal/attention_bf16.h"
#include "rr/nn/internal/attention_learning.h"
#include "rr/nn/internal/transpose.h"

namespace rr::internal {

static_assert(kLearningTile == kKvBlockTokens, "products are written for tiles of 64");

// rows [count, stride] floats as [64, head_dim] bf16, zeros beyond.
static inline void round_tile(const float* rows, std::size_t stride, std::size_t count,
                              std::size_t head_dim, Bf16* out) {
  for (std::size_t r = 0; r < kLearningTile; ++r) {
    for (std::size_t d = 0; d < head_dim; d += 32) {
      __m512i pairs = _mm512_setzero_si512();
      if (r < count) {
        const float* const from = rows + r * stride + d;
        pairs = reinterpret_cast<__m512i>(
            _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + 16), _mm512_loadu_ps(from)));
      }
      _mm512_storeu_si512(out + r * head_dim + d, pairs);
    }
  }
}

// [64, width] bf16 as pairs of rows: [32][width][2].
static inline void pair_rows(const Bf16* rows, std::size_t width, Bf16* out) {
  for (std::size_t r = 0; r < kLearningTile; r += 2) {
    for (std::size_t d = 0; d < width; d += 32) {
      const __m512i even = _mm512_loadu_si512(rows + r * width + d);
      const __m512i odd = _mm512_loadu_si512(rows + (r + 1) * width + d);
      interleave_words(even, odd, out + r * width + 2 * d);
    }
  }
}

// [rows, columns] numbers of 32 bits as [columns, rows], both multiples of 16.
static inline void transpose_dwords(const Bf16* in, std::size_t rows, std::size_t columns,
                                    Bf16* out) {
  for (std::size_t r = 0; r < rows; r += 16) {
    for (std::size_t c = 0; c < columns; c += 16) {
      __m512i m[16];
      for (std::size_t i = 0; i < 16; ++i) {
        m[i] = _mm512_loadu_si512(in + 2 * ((r + i) * columns + c));
      }
      transpose_16x16(m);
      for (std::size_t i = 0; i < 16; ++i) {
        _mm512_storeu_si512(out + 2 * ((c + i) * rows + r), m[i]);
      }
    }
  }
}

// A tile of keys and values, packed: keys [64, head_dim], values [64, head_dim], keys by dimension
// [head_dim, 64].
static inline std::size_t key_tile_bytes_bf16(std::size_t head_dim) {
  return 3 * kLearningTile * head_dim * sizeof(Bf16);
}

static inline void pack_key_tile_bf16(const KeyRows& rows, std::size_t head_dim,
                                      std::byte* packed) {
  const std::size_t size = kLearningTile * head_dim;
  Bf16* const keys = static_cast<Bf16*>(static_cast<void*>(packed));
  Bf16* const values = keys + size;
  Bf16* const by_dimension = values + size;
  round_tile(rows.keys, rows.stride, rows.count, head_dim, keys);
  pair_rows(keys, head_dim, values);  // which are not there yet
  transpose_dwords(values, kLearningTile / 2, head_dim, by_dimension);
  round_tile(rows.values, rows.stride, rows.count, head_dim, values);
}

// What a pair of tiles is worked out in.
struct PairBuffersBf16 {
  float* scores;    // [64 keys, 64 queries]
  float* d_scores;  // the same
  float* product;   // [64, head_dim], for a tile of fewer keys
  Bf16* rows;       // [64, head_dim], on the way to a tile of queries
  Bf16* p;          // [64 keys, 64 queries]
  Bf16* e;          // the same
  Bf16* e_pairs;    // [32][64 queries][2]
};

// A tile of queries as products take it.
struct QueriesBf16 {
  float* d_queries;      // [head_dim, 64]
  float* log_sums;       // [64]
  float* shares;         // [64]: <g, out>
  Bf16* by_dimension;    // [head_dim / 2][64][2]
  Bf16* g_by_dimension;  // the same
  Bf16* pairs;           // [32][head_dim][2]
  Bf16* g_pairs;         // the same
};

static inline std::size_t pair_bytes_bf16(std::size_t head_dim) {
  return kLearningTile * (sizeof(float) * (2 * kLearningTile + head_dim) +
                          sizeof(Bf16) * (head_dim + 3 * kLearningTile));
}

static inline std::size_t queries_bytes_bf16(std::size_t head_dim) {
  return kLearningTile * (sizeof(float) * (head_dim + 2) + sizeof(Bf16) * 4 * head_dim);
}

static inline std::size_t learning_bytes_bf16(std::size_t head_dim) {
  return pair_bytes_bf16(head_dim) + kQueryGroup * queries_bytes_bf16(head_dim);
}

static inline PairBuffersBf16 pair_buffers_bf16(std::byte* scratch, std::size_t head_dim) {
  constexpr std::size_t kTile = kLearningTile * kLearningTile;
  const std::size_t size = kLearningTile * head_dim;
  PairBuffersBf16 buffers;
  buffers.scores = static_cast<float*>(static_cast<void*>(scratch));
  buffers.d_scores = buffers.scores + kTile;
  buffers.product = buffers.d_scores + kTile;
  buffers.rows = static_cast<Bf16*>(static_cast<void*>(buffers.product + size));
  buffers.p = buffers.rows + size;
  buffers.e = buffers.p + kTile;
  buffers.e_pairs = buffers.e + kTile;
  return buffers;
}

static inline QueriesBf16 queries_bf16(std::byte* scratch, std::size_t head_dim, std::size_t q) {
  const std::size_t size = kLearningTile * head_dim;
  std::byte* const own = scratch + pair_bytes_bf16(head_dim) + q * queries_bytes_bf16(head_dim);
  QueriesBf16 queries;
  queries.d_queries = static_cast<float*>(static_cast<void*>(own));
  queries.log_sums = queries.d_queries + size;
  queries.shares = queries.log_sums + kLearningTile;
  queries.by_dimension = static_cast<Bf16*>(static_cast<void*>(queries.shares + kLearningTile));
  queries.g_by_dimension = queries.by_dimension + size;
  queries.pairs = queries.g_by_dimension + size;
  queries.g_pairs = queries.pairs + size;
  return queries;
}

// P and E of a tile of keys from their scores; 0 where a key is not there or a query does not see
// it.
static inline void tile_gradients_bf16(const QueryTile& query, std::size_t tile,
                                       const QueriesBf16& own, const PairBuffersBf16& buffers) {
  const std::size_t count = query.tiles[tile].rows.count;
  const std::size_t num_shared = query.num_tiles - query.num_own;
  const __mmask64 queries =
      query.count == kLearningTile ? ~__mmask64{0} : (__mmask64{1} << query.count) - 1;
  const __m512 scale = _mm512_set1_ps(query.scale);
  for (std::size_t t = 0; t < kLearningTile; ++t) {
    __mmask64 seen = t < count ? queries : 0;
    if (tile >= num_shared) {  // seen by queries from its own place on
      const std::size_t place = (tile - num_shared) * kLearningTile + t;
      const std::size_t before = place > query.first_query ? place - query.first_query : 0;
      seen = before < kLearningTile ? seen & (~__mmask64{0} << before) : 0;
    }
    for (std::size_t r = 0; r < kLearningTile; r += 32) {
      __m512 p[2];
      __m512 e[2];
      for (std::size_t half = 0; half < 2; ++half) {
        const std::size_t first = r + 16 * half;
        const std::size_t at = t * kLearningTile + first;
        const auto mask = static_cast<__mmask16>(seen >> first);
        const __m512 exponent = _mm512_fmsub_ps(_mm512_loadu_ps(buffers.scores + at), scale,
                                                _mm512_loadu_ps(own.log_sums + first));
        p[half] = _mm512_maskz_mov_ps(mask, exponential16(exponent));
        const __m512 slope = _mm512_sub_ps(_mm512_loadu_ps(buffers.d_scores + at),
                                           _mm512_loadu_ps(own.shares + first));
        e[half] = _mm512_maskz_mul_ps(mask, _mm512_mul_ps(p[half], scale), slope);
      }
      const std::size_t at = t * kLearningTile + r;
      _mm512_storeu_si512(buffers.p + at,
                          reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(p[1], p[0])));
      _mm512_storeu_si512(buffers.e + at,
                          reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(e[1], e[0])));
    }
  }
  pair_rows(buffers.e, kLearningTile, buffers.e_pairs);
}

static inline void add_tile(const float* product, std::size_t count, std::size_t head_dim,
                            std::size_t stride, float* out) {
  for (std::size_t t = 0; t < count; ++t) {
    for (std::size_t d = 0; d < head_dim; d += 16) {
      float* const target = out + t * stride + d;
      _mm512_storeu_ps(target, _mm512_add_ps(_mm512_loadu_ps(target),
                                             _mm512_loadu_ps(product + t * head_dim + d)));
    }
  }
}

static inline void take_queries(const QueryTile& query, const QueriesBf16& own, Bf16* rows) {
  const std::size_t head_dim = query.head_dim;
  round_tile(query.queries, query.query_stride, query.count, head_dim, rows);
  pair_rows(rows, head_dim, own.pairs);
  transpose_dwords(rows, kLearningTile, head_dim / 2, own.by_dimension);
  round_tile(query.d_out, query.out_stride, query.count, head_dim, rows);
  pair_rows(rows, head_dim, own.g_pairs);
  transpose_dwords(rows, kLearningTile, head_dim / 2, own.g_by_dimension);
  for (std::size_t r = 0; r < kLearningTile; ++r) {
    __m512 sum = _mm512_setzero_ps();
    for (std::size_t d = 0; r < query.count && d < head_dim; d += 16) {
      const std::size_t at = r * query.out_stride + d;
      sum =
          _mm512_fmadd_ps(_mm512_loadu_ps(query.d_out + at), _mm512_loadu_ps(query.out + at), sum);
    }
    own.shares[r] = _mm512_reduce_add_ps(sum);
    own.log_sums[r] = r < query.count ? query.log_sums[r] : 0;
  }
  clear_floats(own.d_queries, kLearningTile * head_dim);
}

static inline void give_queries(const QueryTile& query, const QueriesBf16& own) {
  for (std::size_t d = 0; d < query.head_dim; d += 16) {
    for (std::size_t r = 0; r < query.count; r += 16) {
      __m512i m[16];
      for (std::size_t i = 0; i < 16; ++i) {
        m[i] = _mm512_loadu_si512(own.d_queries + (d + i) * kLearningTile + r);
      }
      transpose_16x16(m);
      for (std::size_t i = 0; i < 16 && r + i < query.count; ++i) {
        _mm512_storeu_si512(query.d_queries + (r + i) * query.query_stride + d, m[i]);
      }
    }
  }
}

// What one key tile and one tile of queries give each other.
template <typename Products>
static inline void attend_tile_backward_in_bf16(const QueryTile& query, std::size_t tile,
                                                const QueriesBf16& own,
                                                const PairBuffersBf16& buffers) {
  const std::size_t head_dim = query.head_dim;
  const std::size_t size = kLearningTile * head_dim;
  const KeyTile& keys = query.tiles[tile];
  const Bf16* const packed = static_cast<const Bf16*>(static_cast<const void*>(keys.packed));
  Products::scores(packed, kLearningTile, kLearningTile, head_dim, own.by_dimension,
                   buffers.scores);
  Products::scores(packed + size, kLearningTile, kLearningTile, head_dim, own.g_by_dimension,
                   buffers.d_scores);
  tile_gradients_bf16(query, tile, own, buffers);
  const auto add = [&](const Bf16* left, const Bf16* pairs, float* out) {
    if (keys.rows.count == kLearningTile) {
      Products::accumulate(left, kLearningTile, kLearningTile, head_dim, pairs, kLearningTile, out,
                           keys.gradient_stride);
      return;
    }
    clear_floats(buffers.product, size);
    Products::accumulate(left, kLearningTile, kLearningTile, head_dim, pairs, kLearningTile,
                         buffers.product, head_dim);
    add_tile(buffers.product, keys.rows.count, head_dim, keys.gradient_stride, out);
  };
  add(buffers.p, own.g_pairs, keys.d_values);
  add(buffers.e, own.pairs, keys.d_keys);
  Products::accumulate(packed + 2 * size, head_dim, head_dim, kLearningTile, buffers.e_pairs,
                       kLearningTile, own.d_queries, kLearningTile);
}

// Requires head_dim % 32 == 0.
template <typename Products>
static inline void attend_backward_in_bf16(const QueryGroup& group) {
  const std::size_t head_dim = group.queries[0].head_dim;
  const PairBuffersBf16 buffers = pair_buffers_bf16(group.scratch, head_dim);
  QueriesBf16 own[kQueryGroup];
  for (std::size_t q = 0; q < group.count; ++q) {
    own[q] = queries_bf16(group.scratch, head_dim, q);
    take_queries(group.queries[q], own[q], buffers.rows);
  }
  for (std::size_t tile = 0; tile < group.queries[group.count - 1].num_tiles; ++tile) {
    for (std::size_t q = 0; q < group.count; ++q) {
      if (tile >= group.queries[q].num_tiles) continue;
      attend_tile_backward_in_bf16<Products>(group.queries[q], tile, own[q], buffers);
    }
  }
  for (std::size_t q = 0; q < group.count; ++q) give_queries(group.queries[q], own[q]);
}

}  // namespace rr::internal
