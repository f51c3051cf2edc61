#pragma once

#include <cstddef>

#include "rr/nn/internal/bf16.h"
#include "rr/nn/internal/product_vector.h"
#include "rr/nn/internal/read_ahead.h"
#include "rr/nn/internal/unroll.h"

namespace rr::internal {

// Products of small float32 matrices that lie in the cache: the tiles of attention, and pieces of
// weights. The right factor may be bf16, each number of which is widened as it is read.

#if defined(__AVX512F__)
constexpr std::size_t kProductVectors = 4;  // 4 rows of 4 vectors: 16 sums of 32 registers
#else
constexpr std::size_t kProductVectors = 2;
#endif

// A left factor: element (i, k) stands at data[i * row_stride + k * column_stride], so that a
// transposed one needs no copy.
struct LeftFactor {
  const float* data;
  std::size_t row_stride;
  std::size_t column_stride;
};

// sum + a * b, rounded once where the lanes of a vector are: left to itself, a compiler may
// multiply ahead and add later, and a column would depend on whether it stands in a vector.
static inline float add_product_of(float a, float b, float sum) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return __builtin_fmaf(a, b, sum);
#else
  return sum + a * b;
#endif
}

// A right factor whose rows lie apart by `stride`: floats, or bf16 that are widened as they are
// read. It has no functions of its own: those of several instruction sets would be one.
template <typename Number>
struct RightRows {
  const Number* data;
  std::size_t stride;
};

// One of bf16 whose rows lie in pairs: [row / 2][column][row % 2], `width` columns.
struct RightPairs {
  const Bf16* data;
  std::size_t width;
};

// A vector of a row, from `column` on.
template <bool kIsOdd, typename Number>
static inline ProductVector load_right(RightRows<Number> right, std::size_t row,
                                       std::size_t column) {
  return load_vector(right.data + row * right.stride + column);
}
template <bool kIsOdd>
static inline ProductVector load_right(RightPairs right, std::size_t row, std::size_t column) {
  return load_of_pairs<kIsOdd>(right.data + (row / 2 * right.width + column) * 2);
}

static inline float number_of(RightRows<float> right, std::size_t row, std::size_t column) {
  return right.data[row * right.stride + column];
}
static inline float number_of(RightRows<Bf16> right, std::size_t row, std::size_t column) {
  return to_float(right.data[row * right.stride + column]);
}
static inline float number_of(RightPairs right, std::size_t row, std::size_t column) {
  return to_float(right.data[(row / 2 * right.width + column) * 2 + row % 2]);
}

// Weights in bf16 come from memory, the others are in the cache.
static inline void read_right_ahead(RightRows<Bf16> right, std::size_t row, std::size_t column,
                                    std::size_t count) {
  read_ahead(right.data + row * right.stride + column, count);
}
static inline void read_right_ahead(RightRows<float>, std::size_t, std::size_t, std::size_t) {}
static inline void read_right_ahead(RightPairs, std::size_t, std::size_t, std::size_t) {}

// sums [kRows, kVectors] += column `row` of left * a row of right, from `column` on.
template <bool kIsOdd, std::size_t kRows, std::size_t kVectors, typename Right>
static inline __attribute__((always_inline)) void add_row(LeftFactor left, Right right,
                                                          std::size_t row, std::size_t column,
                                                          ProductVector (&sums)[kRows][kVectors]) {
  read_right_ahead(right, row, column, kVectors * kProductLanes);
  ProductVector numbers[kVectors];
  RR_UNROLL
  for (std::size_t j = 0; j < kVectors; ++j) {
    numbers[j] = load_right<kIsOdd>(right, row, column + j * kProductLanes);
  }
  RR_UNROLL
  for (std::size_t i = 0; i < kRows; ++i) {
    const float factor = left.data[i * left.row_stride + row * left.column_stride];
    RR_UNROLL
    for (std::size_t j = 0; j < kVectors; ++j) sums[i][j] += factor * numbers[j];
  }
}

// out [kRows, kVectors * kProductLanes] = left [kRows, depth] * right [depth, ...] from `column`
// on, or += that.
template <bool kAdds, std::size_t kRows, std::size_t kVectors, typename Right>
static inline void multiply_block(LeftFactor left, Right right, std::size_t column,
                                  std::size_t depth, float* out, std::size_t out_stride) {
  ProductVector sums[kRows][kVectors] = {};
  std::size_t k = 0;
  for (; k + 2 <= depth; k += 2) {
    add_row<false>(left, right, k, column, sums);
    add_row<true>(left, right, k + 1, column, sums);
  }
  if (k < depth) add_row<false>(left, right, k, column, sums);
  RR_UNROLL
  for (std::size_t i = 0; i < kRows; ++i) {
    RR_UNROLL
    for (std::size_t j = 0; j < kVectors; ++j) {
      float* const target = out + i * out_stride + column + j * kProductLanes;
      store_vector(kAdds ? load_vector(target) + sums[i][j] : sums[i][j], target);
    }
  }
}

template <bool kAdds, std::size_t kRows, typename Right>
static inline void multiply_rows(LeftFactor left, Right right, std::size_t width, std::size_t depth,
                                 float* out, std::size_t out_stride) {
  // Enough sums at a time for the latency of adding, few enough for the registers.
  constexpr std::size_t kWideVectors = kRows == 1 ? 8 : kRows == 2 ? 4 : kProductVectors;
  constexpr std::size_t kWide = kWideVectors * kProductLanes;
  constexpr std::size_t kNarrow = kProductVectors * kProductLanes;
  const std::size_t whole = width - width % kProductLanes;
  std::size_t n = 0;
  for (; n + kWide <= width; n += kWide) {
    multiply_block<kAdds, kRows, kWideVectors>(left, right, n, depth, out, out_stride);
  }
  for (; kNarrow < kWide && n + kNarrow <= width; n += kNarrow) {
    multiply_block<kAdds, kRows, kProductVectors>(left, right, n, depth, out, out_stride);
  }
  for (; n < whole; n += kProductLanes) {
    multiply_block<kAdds, kRows, 1>(left, right, n, depth, out, out_stride);
  }
  for (n = whole; n < width; ++n) {
    for (std::size_t i = 0; i < kRows; ++i) {
      float sum = 0;
      for (std::size_t k = 0; k < depth; ++k) {
        sum = add_product_of(left.data[i * left.row_stride + k * left.column_stride],
                             number_of(right, k, n), sum);
      }
      out[i * out_stride + n] = kAdds ? out[i * out_stride + n] + sum : sum;
    }
  }
}

template <bool kAdds, typename Right>
static inline void multiply_small(LeftFactor left, Right right, std::size_t rows, std::size_t width,
                                  std::size_t depth, float* out, std::size_t out_stride) {
  std::size_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    const LeftFactor four = {left.data + i * left.row_stride, left.row_stride, left.column_stride};
    multiply_rows<kAdds, 4>(four, right, width, depth, out + i * out_stride, out_stride);
  }
  const LeftFactor rest = {left.data + i * left.row_stride, left.row_stride, left.column_stride};
  float* const rest_out = out + i * out_stride;
  switch (rows - i) {
    case 3:
      multiply_rows<kAdds, 3>(rest, right, width, depth, rest_out, out_stride);
      break;
    case 2:
      multiply_rows<kAdds, 2>(rest, right, width, depth, rest_out, out_stride);
      break;
    case 1:
      multiply_rows<kAdds, 1>(rest, right, width, depth, rest_out, out_stride);
      break;
    default:
      break;
  }
}

// out [rows, width] = left [rows, depth] * right [depth, width], summed in the order of depth. What
// is rounded depends neither on `rows`, nor on where a column stands, nor on how right is kept.
template <typename Right>
static inline void set_product(LeftFactor left, Right right, std::size_t rows, std::size_t width,
                               std::size_t depth, float* out, std::size_t out_stride) {
  multiply_small<false>(left, right, rows, width, depth, out, out_stride);
}

// out += the same. The product is summed by itself and added at the end: a sum over many inputs
// that is made of several products loses less to rounding than one chain would.
template <typename Right>
static inline void add_product(LeftFactor left, Right right, std::size_t rows, std::size_t width,
                               std::size_t depth, float* out, std::size_t out_stride) {
  multiply_small<true>(left, right, rows, width, depth, out, out_stride);
}

}  // namespace rr::internal
