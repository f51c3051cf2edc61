#include "rr/nn/internal/attention_bf16.h"
#include "rr/nn/internal/attention_learning_bf16.h"
#include "rr/nn/internal/kernels.h"
#include "rr/nn/internal/learning_kernels.h"

namespace rr::internal {
namespace {

inline __m512bh load_pairs(const Bf16* pairs) {
  return reinterpret_cast<__m512bh>(_mm512_loadu_si512(pairs));
}

// One pair of a row, sixteen times.
inline __m512bh repeat_pair(const Bf16* pair) {
  int bits;
  __builtin_memcpy(&bits, pair, sizeof bits);
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(bits));
}

// Four rows of pairs times kVectors * 16 columns, added to `sums`: 4 * kVectors accumulators.
// rows: [4, row_stride]; columns: [pairs, column_stride] with 2 * 16 * kVectors used.
template <int kVectors>
inline void multiply_four(const Bf16* rows, std::size_t row_stride, const Bf16* columns,
                          std::size_t column_stride, std::size_t pairs,
                          __m512 (&sums)[4][kVectors]) {
  for (std::size_t k = 0; k < pairs; ++k) {
    __m512bh column[kVectors];
    for (int j = 0; j < kVectors; ++j) column[j] = load_pairs(columns + k * column_stride + 32 * j);
    for (int i = 0; i < 4; ++i) {
      const __m512bh row = repeat_pair(rows + static_cast<std::size_t>(i) * row_stride + 2 * k);
      for (int j = 0; j < kVectors; ++j) sums[i][j] = _mm512_dpbf16_ps(sums[i][j], row, column[j]);
    }
  }
}

template <int kVectors>
inline void accumulate_columns(const Bf16* probabilities, std::size_t rows, std::size_t head_dim,
                               const Bf16* values, std::size_t pairs, float* out,
                               std::size_t out_stride) {
  for (std::size_t r = 0; r < rows; r += 4) {
    __m512 sums[4][kVectors];
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t j = 0; j < kVectors; ++j) {
        sums[i][j] = _mm512_loadu_ps(out + (r + i) * out_stride + 16 * j);
      }
    }
    multiply_four<kVectors>(probabilities + r * kKvBlockTokens, kKvBlockTokens, values,
                            2 * head_dim, pairs, sums);
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t j = 0; j < kVectors; ++j) {
        _mm512_storeu_ps(out + (r + i) * out_stride + 16 * j, sums[i][j]);
      }
    }
  }
}

struct DotProducts {
  static inline void scores(const Bf16* queries, std::size_t, std::size_t rows,
                            std::size_t head_dim, const Bf16* keys, float* scores) {
    for (std::size_t r = 0; r < rows; r += 4) {
      __m512 sums[4][4] = {};
      multiply_four<4>(queries + r * head_dim, head_dim, keys, 2 * kKvBlockTokens, head_dim / 2,
                       sums);
      for (std::size_t i = 0; i < 4; ++i) {
        for (std::size_t j = 0; j < 4; ++j) {
          _mm512_storeu_ps(scores + (r + i) * kKvBlockTokens + 16 * j, sums[i][j]);
        }
      }
    }
  }

  static inline void accumulate(const Bf16* probabilities, std::size_t, std::size_t rows,
                                std::size_t head_dim, const Bf16* values, std::size_t num_keys,
                                float* out, std::size_t out_stride) {
    const std::size_t pairs = (num_keys + 1) / 2;
    std::size_t d = 0;
    for (; d + 64 <= head_dim; d += 64) {
      accumulate_columns<4>(probabilities, rows, head_dim, values + 2 * d, pairs, out + d,
                            out_stride);
    }
    for (; d < head_dim; d += 16) {
      accumulate_columns<1>(probabilities, rows, head_dim, values + 2 * d, pairs, out + d,
                            out_stride);
    }
  }
};

}  // namespace

void attend_avx512_bf16(const AttentionTile& tile) { attend_in_bf16<DotProducts, Bf16>(tile); }

void attend_avx512_bf16_int8(const AttentionTile& tile) {
  attend_in_bf16<DotProducts, std::int8_t>(tile);
}

AttentionBackward avx512_bf16_attention_backward() {
  return {key_tile_bytes_bf16, learning_bytes_bf16, pack_key_tile_bf16,
          attend_backward_in_bf16<DotProducts>};
}

}  // namespace rr::internal
