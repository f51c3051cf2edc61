#pragma once

#include <cstddef>
#include <cstring>

#include "rr/nn/internal/unroll.h"

namespace rr::internal {

// Products of small float32 matrices that lie in the cache: the tiles of attention.

#if defined(__AVX512F__)
constexpr std::size_t kProductLanes = 16;
constexpr std::size_t kProductVectors = 4;  // 4 rows of 4 vectors: 16 sums of 32 registers
#elif defined(__AVX__)
constexpr std::size_t kProductLanes = 8;
constexpr std::size_t kProductVectors = 2;
#else
constexpr std::size_t kProductLanes = 4;
constexpr std::size_t kProductVectors = 2;
#endif
typedef float ProductVector __attribute__((vector_size(kProductLanes * sizeof(float))));

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

// out [kRows, kVectors * kProductLanes] += left [kRows, depth] * right [depth, ...]
template <std::size_t kRows, std::size_t kVectors>
static inline void add_product_block(LeftFactor left, const float* right, std::size_t right_stride,
                                     std::size_t depth, float* out, std::size_t out_stride) {
  ProductVector sums[kRows][kVectors] = {};
  for (std::size_t k = 0; k < depth; ++k) {
    ProductVector columns[kVectors];
    RR_UNROLL
    for (std::size_t j = 0; j < kVectors; ++j) {
      std::memcpy(&columns[j], right + k * right_stride + j * kProductLanes, sizeof columns[j]);
    }
    RR_UNROLL
    for (std::size_t i = 0; i < kRows; ++i) {
      const float factor = left.data[i * left.row_stride + k * left.column_stride];
      RR_UNROLL
      for (std::size_t j = 0; j < kVectors; ++j) sums[i][j] += factor * columns[j];
    }
  }
  RR_UNROLL
  for (std::size_t i = 0; i < kRows; ++i) {
    RR_UNROLL
    for (std::size_t j = 0; j < kVectors; ++j) {
      float* const target = out + i * out_stride + j * kProductLanes;
      ProductVector total;
      std::memcpy(&total, target, sizeof total);
      total += sums[i][j];
      std::memcpy(target, &total, sizeof total);
    }
  }
}

// out [kRows, width] += left [kRows, depth] * right [depth, width]
template <std::size_t kRows>
static inline void add_product_rows(LeftFactor left, const float* right, std::size_t right_stride,
                                    std::size_t width, std::size_t depth, float* out,
                                    std::size_t out_stride) {
  // Enough sums at a time for the latency of adding, few enough for the registers.
  constexpr std::size_t kWideVectors = kRows == 1 ? 8 : kRows == 2 ? 4 : kProductVectors;
  constexpr std::size_t kWide = kWideVectors * kProductLanes;
  constexpr std::size_t kNarrow = kProductVectors * kProductLanes;
  const std::size_t whole = width - width % kProductLanes;
  std::size_t n = 0;
  for (; n + kWide <= width; n += kWide) {
    add_product_block<kRows, kWideVectors>(left, right + n, right_stride, depth, out + n,
                                           out_stride);
  }
  for (; kNarrow < kWide && n + kNarrow <= width; n += kNarrow) {
    add_product_block<kRows, kProductVectors>(left, right + n, right_stride, depth, out + n,
                                              out_stride);
  }
  for (; n < whole; n += kProductLanes) {
    add_product_block<kRows, 1>(left, right + n, right_stride, depth, out + n, out_stride);
  }
  for (n = whole; n < width; ++n) {
    for (std::size_t i = 0; i < kRows; ++i) {
      float sum = 0;
      for (std::size_t k = 0; k < depth; ++k) {
        sum = add_product_of(left.data[i * left.row_stride + k * left.column_stride],
                             right[k * right_stride + n], sum);
      }
      out[i * out_stride + n] += sum;
    }
  }
}

// out [rows, width] += left [rows, depth] * right [depth, width]. The product is summed by itself,
// in the order of depth, and added at the end: a sum over many inputs that is made of several
// products loses less to rounding than one chain would. What is rounded does not depend on `rows`,
// nor on where a column stands.
static inline void add_product(LeftFactor left, const float* right, std::size_t right_stride,
                               std::size_t rows, std::size_t width, std::size_t depth, float* out,
                               std::size_t out_stride) {
  std::size_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    const LeftFactor four = {left.data + i * left.row_stride, left.row_stride, left.column_stride};
    add_product_rows<4>(four, right, right_stride, width, depth, out + i * out_stride, out_stride);
  }
  const LeftFactor rest = {left.data + i * left.row_stride, left.row_stride, left.column_stride};
  float* const rest_out = out + i * out_stride;
  switch (rows - i) {
    case 3:
      add_product_rows<3>(rest, right, right_stride, width, depth, rest_out, out_stride);
      break;
    case 2:
      add_product_rows<2>(rest, right, right_stride, width, depth, rest_out, out_stride);
      break;
    case 1:
      add_product_rows<1>(rest, right, right_stride, width, depth, rest_out, out_stride);
      break;
    default:
      break;
  }
}

}  // namespace rr::internal
