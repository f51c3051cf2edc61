#include "rr/nn/internal/product_amx.h"

#include <immintrin.h>

#include "rr/nn/internal/amx_tiles.h"

namespace rr::internal {
namespace {

constexpr std::size_t kTile = 16 * 32;  // elements of one tile of the weight

// Sixteen rows' worth of 32 inputs, turned so that a pair of inputs stands beside that of the next
// row.
inline void pack_tile(const float* weight, std::size_t num_rows, std::size_t num_inputs,
                      Bf16* tile) {
  const __m512i every_sixteenth =
      _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                         _mm512_set1_epi32(16));
  for (std::size_t row = 0; row < num_rows; ++row) {
    const float* const from = weight + row * num_inputs;
    const __m512bh pairs = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + 16), _mm512_loadu_ps(from));
    _mm512_i32scatter_epi32(tile + 2 * row, every_sixteenth, reinterpret_cast<__m512i>(pairs), 4);
  }
}

// Columns of the result from tiles that hold 32 of them, where fewer are wanted.
inline void copy_columns(const float* tiles, std::size_t rows, std::size_t columns, float* out,
                         std::size_t out_stride) {
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) out[r * out_stride + c] = tiles[32 * r + c];
  }
}

}  // namespace

void pack_for_amx(const float* weight, std::size_t num_outputs, std::size_t num_inputs,
                  Bf16* packed) {
  for (std::size_t n = 0; n < num_outputs; n += 32) {
    for (std::size_t k = 0; k < num_inputs; k += 32) {
      for (std::size_t half = n; half < n + 32; half += 16) {
        const std::size_t left = half < num_outputs ? num_outputs - half : 0;
        const std::size_t rows = left < 16 ? left : 16;
        if (rows < 16) __builtin_memset(packed, 0, kTile * sizeof(Bf16));
        pack_tile(weight + half * num_inputs + k, rows, num_inputs, packed);
        packed += kTile;
      }
    }
  }
}

void multiply_on_amx(const Bf16* in, std::size_t rows, std::size_t num_inputs, const Bf16* packed,
                     std::size_t num_outputs, float* out) {
  const TileConfiguration configuration;
  _tile_loadconfig(&configuration);
  alignas(64) float last_columns[32 * 32];
  TileProduct p{};
  p.left_stride = num_inputs * sizeof(Bf16);
  p.right_stride = 64;
  p.right_step = 2 * kTile;
  p.right_second = kTile;
  p.steps = num_inputs / 32;
  for (std::size_t n = 0; n < num_outputs; n += 32) {
    p.right = packed + n * num_inputs;
    const std::size_t columns = num_outputs - n < 32 ? num_outputs - n : 32;
    for (std::size_t r = 0; r < rows; r += 32) {
      p.left = in + r * num_inputs;
      float* const target = out + r * num_outputs + n;
      p.out = columns == 32 ? target : last_columns;
      p.out_stride = (columns == 32 ? num_outputs : 32) * sizeof(float);
      const std::size_t left = rows - r < 32 ? rows - r : 32;
      if (left > 16) {
        multiply_32x32<false>(p);
      } else {
        multiply_16x32<false>(p);
      }
      if (columns < 32) copy_columns(last_columns, left, columns, target, num_outputs);
    }
  }
  _tile_release();
}

}  // namespace rr::internal
