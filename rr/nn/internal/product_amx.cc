#include "rr/nn/internal/product_amx.h"

#include <immintrin.h>

#include "rr/nn/internal/amx_tiles.h"
#include "rr/nn/internal/pack_tiles.h"
#include "rr/nn/internal/transpose.h"

namespace rr::internal {
namespace {

constexpr std::size_t kTile = 16 * 32;  // elements of one tile of the weight

inline void copy_columns(const float* from, std::size_t from_stride, std::size_t rows,
                         std::size_t columns, float* to, std::size_t to_stride) {
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) to[r * to_stride + c] = from[r * from_stride + c];
  }
}

template <bool kAdd>
inline void multiply_by_packed(const Bf16* in, std::size_t rows, std::size_t num_inputs,
                               const Bf16* packed, std::size_t num_outputs, float* out,
                               std::size_t out_stride) {
  const TileConfiguration configuration;
  _tile_loadconfig(&configuration);
  alignas(64) float last_columns[32 * 32] = {};  // of a result whose outputs end within a tile
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
      float* const target = out + r * out_stride + n;
      p.out = columns == 32 ? target : last_columns;
      p.out_stride = (columns == 32 ? out_stride : 32) * sizeof(float);
      const std::size_t left = rows - r < 32 ? rows - r : 32;
      if (kAdd && columns < 32) copy_columns(target, out_stride, left, columns, last_columns, 32);
      if (left > 16) {
        multiply_32x32<kAdd>(p);
      } else {
        multiply_16x32<kAdd>(p);
      }
      if (columns < 32) copy_columns(last_columns, 32, left, columns, target, out_stride);
    }
  }
  _tile_release();
}

constexpr std::size_t kRowSumColumns = 32;  // that are turned at a time

// Rows of the turned left side lie apart by more than a power of two, for the sake of the cache.
constexpr std::size_t turned_stride(std::size_t rows) { return rows + 32; }

// The left side's columns as rows, in whole groups of 32, those beyond as zeros.
inline void turn_left(const AmxRowSum& sum, Bf16* turned) {
  const std::size_t stride = turned_stride(sum.rows);
  for (std::size_t first = 0; first < sum.num_outputs; first += 32) {
    for (std::size_t half = first; half < first + 32; half += 16) {
      const std::size_t left = half < sum.num_outputs ? sum.num_outputs - half : 0;
      const auto mask = static_cast<__mmask16>(left < 16 ? (1u << left) - 1 : 0xffffu);
      for (std::size_t r = 0; r < sum.rows; r += 32) {
        __m512i pairs[16];
        for (std::size_t i = 0; i < 16; ++i) {
          const Bf16* const row = sum.left + (r + 2 * i) * sum.left_stride + half;
          const __m512i even = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, row));
          const __m512i odd =
              _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, row + sum.left_stride));
          pairs[i] = _mm512_or_si512(even, _mm512_slli_epi32(odd, 16));
        }
        transpose_16x16(pairs);
        for (std::size_t i = 0; i < 16; ++i) {
          _mm512_storeu_si512(turned + (half + i) * stride + r, pairs[i]);
        }
      }
    }
  }
}

// Some columns of the right side, pairs of rows side by side, columns beyond as zeros:
// [rows / 2][32][2].
inline void turn_right(const AmxRowSum& sum, std::size_t first, Bf16* turned) {
  const std::size_t left = sum.num_inputs - first;
  const __mmask32 mask = left < 32 ? (1u << left) - 1 : 0xffffffffu;
  for (std::size_t r = 0; r < sum.rows; r += 2) {
    const Bf16* const row = sum.right + r * sum.right_stride + first;
    const __m512i even = _mm512_maskz_loadu_epi16(mask, row);
    const __m512i odd = _mm512_maskz_loadu_epi16(mask, row + sum.right_stride);
    interleave_words(even, odd, turned);
    turned += 64;
  }
}

}  // namespace

void pack_for_amx(const float* weight, std::size_t num_outputs, std::size_t num_inputs,
                  Bf16* packed) {
  for (std::size_t n = 0; n < num_outputs; n += 32) {
    for (std::size_t k = 0; k < num_inputs; k += 32) {
      for (std::size_t half = n; half < n + 32; half += 16) {
        const std::size_t left = half < num_outputs ? num_outputs - half : 0;
        pack_tile(weight + half * num_inputs + k, left, num_inputs, 32, packed);
        packed += kTile;
      }
    }
  }
}

void pack_columns_for_amx(const float* const* rows, std::size_t num_outputs, std::size_t num_inputs,
                          Bf16* packed) {
  for (std::size_t n = 0; n < num_outputs; n += 32) {
    for (std::size_t k = 0; k < num_inputs; k += 32) {
      for (std::size_t half = n; half < n + 32; half += 16) {
        const std::size_t left = half < num_outputs ? num_outputs - half : 0;
        const auto mask = static_cast<__mmask16>(left < 16 ? (1u << left) - 1 : 0xffffu);
        pack_column_tile(rows + k, half, mask, 32, packed);
        packed += kTile;
      }
    }
  }
}

std::size_t amx_rows_at_once(std::size_t num_inputs) {
  constexpr std::size_t kBytes = std::size_t{1} << 20;  // half of a core's own cache
  const std::size_t groups = kBytes / (128 * num_inputs * sizeof(Bf16));
  return 128 * (groups < 1 ? 1 : groups > 8 ? 8 : groups);
}

void multiply_on_amx(const Bf16* in, std::size_t rows, std::size_t num_inputs, const Bf16* packed,
                     std::size_t num_outputs, float* out, std::size_t out_stride) {
  multiply_by_packed<false>(in, rows, num_inputs, packed, num_outputs, out, out_stride);
}

void add_on_amx(const Bf16* in, std::size_t rows, std::size_t num_inputs, const Bf16* packed,
                std::size_t num_outputs, float* out, std::size_t out_stride) {
  multiply_by_packed<true>(in, rows, num_inputs, packed, num_outputs, out, out_stride);
}

std::size_t amx_row_sum_elements(std::size_t num_outputs, std::size_t rows) {
  return (num_outputs + 31) / 32 * 32 * turned_stride(rows) + rows * kRowSumColumns;
}

void add_row_sum_on_amx(const AmxRowSum& sum, Bf16* scratch) {
  const std::size_t stride = turned_stride(sum.rows);
  Bf16* const left = scratch;
  Bf16* const right = scratch + (sum.num_outputs + 31) / 32 * 32 * stride;
  alignas(64) float corner[32 * 32];
  turn_left(sum, left);
  const TileConfiguration configuration;
  _tile_loadconfig(&configuration);
  TileProduct p{};
  p.left_stride = stride * sizeof(Bf16);
  p.right = right;
  p.right_stride = 2 * kRowSumColumns * sizeof(Bf16);
  p.right_step = 16 * 2 * kRowSumColumns;
  p.right_second = 32;
  p.steps = sum.rows / 32;
  for (std::size_t n = 0; n < sum.num_inputs; n += kRowSumColumns) {
    turn_right(sum, n, right);
    const std::size_t columns = sum.num_inputs - n < 32 ? sum.num_inputs - n : 32;
    for (std::size_t o = 0; o < sum.num_outputs; o += 32) {
      const std::size_t outputs = sum.num_outputs - o < 32 ? sum.num_outputs - o : 32;
      float* const target = sum.out + o * sum.out_stride + n;
      p.left = left + o * stride;
      if (outputs == 32 && columns == 32) {
        p.out = target;
        p.out_stride = sum.out_stride * sizeof(float);
        multiply_32x32<true>(p);
        continue;
      }
      p.out = corner;
      p.out_stride = 32 * sizeof(float);
      multiply_32x32<false>(p);
      for (std::size_t r = 0; r < outputs; ++r) {
        for (std::size_t c = 0; c < columns; ++c) {
          target[r * sum.out_stride + c] += corner[32 * r + c];
        }
      }
    }
  }
  _tile_release();
}

}  // namespace rr::internal
