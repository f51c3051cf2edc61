#include "rr/nn/internal/amx_tiles.h"
#include "rr/nn/internal/attention_bf16.h"
#include "rr/nn/internal/attention_learning_bf16.h"
#include "rr/nn/internal/kernels.h"
#include "rr/nn/internal/learning_kernels.h"

namespace rr::internal {
namespace {

// `columns` wide, a multiple of 32; `padded_rows` a multiple of 16.
template <bool kAdd>
inline void multiply(TileProduct p, std::size_t padded_rows, std::size_t columns) {
  const TileProduct start = p;
  for (std::size_t r = 0; r < padded_rows; r += 32) {
    for (std::size_t c = 0; c < columns; c += 32) {
      p.left = start.left + r * start.left_stride / sizeof(Bf16);
      p.right = start.right + 2 * c;
      p.out = start.out + r * start.out_stride / sizeof(float) + c;
      if (r + 32 <= padded_rows) {
        multiply_32x32<kAdd>(p);
      } else {
        multiply_16x32<kAdd>(p);
      }
    }
  }
}

struct TileProducts {
  static inline void scores(const Bf16* queries, std::size_t padded_rows, std::size_t,
                            std::size_t head_dim, const Bf16* keys, float* scores) {
    multiply<false>({.left = queries,
                     .left_stride = head_dim * sizeof(Bf16),
                     .right = keys,
                     .right_stride = 2 * kKvBlockTokens * sizeof(Bf16),
                     .right_step = 16 * 2 * kKvBlockTokens,
                     .right_second = 32,
                     .steps = head_dim / 32,
                     .out = scores,
                     .out_stride = kKvBlockTokens * sizeof(float)},
                    padded_rows, kKvBlockTokens);
  }

  static inline void accumulate(const Bf16* probabilities, std::size_t padded_rows, std::size_t,
                                std::size_t head_dim, const Bf16* values, std::size_t num_keys,
                                float* out, std::size_t out_stride) {
    multiply<true>({.left = probabilities,
                    .left_stride = kKvBlockTokens * sizeof(Bf16),
                    .right = values,
                    .right_stride = 2 * head_dim * sizeof(Bf16),
                    .right_step = 16 * 2 * head_dim,
                    .right_second = 32,
                    .steps = (num_keys + 31) / 32,
                    .out = out,
                    .out_stride = out_stride * sizeof(float)},
                   padded_rows, head_dim);
  }
};

template <typename Kv>
inline void attend_on_tiles(const AttentionTile& tile) {
  const TileConfiguration configuration;
  _tile_loadconfig(&configuration);
  attend_in_bf16<TileProducts, Kv>(tile);
  _tile_release();
}

inline void attend_backward_on_tiles(const QueryGroup& group) {
  const TileConfiguration configuration;
  _tile_loadconfig(&configuration);
  attend_backward_in_bf16<TileProducts>(group);
  _tile_release();
}

}  // namespace

void attend_amx_bf16(const AttentionTile& tile) { attend_on_tiles<Bf16>(tile); }

void attend_amx_bf16_int8(const AttentionTile& tile) { attend_on_tiles<std::int8_t>(tile); }

AttentionBackward amx_bf16_attention_backward() {
  return {key_tile_bytes_bf16, learning_bytes_bf16, pack_key_tile_bf16, attend_backward_on_tiles};
}

}  // namespace rr::internal
