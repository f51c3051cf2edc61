#pragma once

#include <cstddef>

namespace rr::internal {

// The gradient of rms_norm.h. With r = 1 / sqrt(mean_j(row_j^2) + epsilon) and g the gradient of
// the output:
//
//   d_row_i    += r * (weight_i * g_i - row_i * r^2 / size * sum_j weight_j * g_j * row_j)
//   d_weight_i += g_i * row_i * r
//
// row, weight, g, d_row, d_weight: [size]. d_weight may be null.
static inline void rms_norm_backward(const float* row, const float* weight, float epsilon,
                                     std::size_t size, const float* g, float* d_row,
                                     float* d_weight) {
  constexpr std::size_t kLanes = 16;  // partial sums: one order of adding on every machine
  float squares[kLanes] = {};
  float products[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      squares[lane] += row[i + lane] * row[i + lane];
      products[lane] += weight[i + lane] * g[i + lane] * row[i + lane];
    }
  }
  float square_sum = 0;
  float product_sum = 0;
  for (; i < size; ++i) {
    square_sum += row[i] * row[i];
    product_sum += weight[i] * g[i] * row[i];
  }
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    square_sum += squares[lane];
    product_sum += products[lane];
  }
  const float count = static_cast<float>(size);
  const float r = 1.0f / __builtin_sqrtf(square_sum / count + epsilon);
  const float along = product_sum * r * r / count;
  for (std::size_t j = 0; j < size; ++j) d_row[j] += r * (weight[j] * g[j] - row[j] * along);
  if (d_weight == nullptr) return;
  for (std::size_t j = 0; j < size; ++j) d_weight[j] += g[j] * row[j] * r;
}

}  // namespace rr::internal
