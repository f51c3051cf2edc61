#pragma once

#include <cstddef>

#include "rr/nn/internal/bf16.h"

namespace rr::internal {

// Root-mean-square norm of one row (Zhang and Sennrich, arXiv 1910.07467):
//
//   out_i = weight_i * row_i / sqrt(mean_j(row_j^2) + epsilon)
//
// row, weight, out: [size]. Out is float or Bf16; out may be row itself.
template <typename Out>
static inline void rms_norm(const float* row, const float* weight, float epsilon, std::size_t size,
                            Out* out) {
  constexpr std::size_t kLanes = 16;  // partial sums: one order of adding on every machine
  float sums[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += row[i + lane] * row[i + lane];
  }
  float sum = 0;
  for (; i < size; ++i) sum += row[i] * row[i];
  for (std::size_t lane = 0; lane < kLanes; ++lane) sum += sums[lane];
  const float scale = 1.0f / __builtin_sqrtf(sum / static_cast<float>(size) + epsilon);
  for (std::size_t j = 0; j < size; ++j) store(weight[j] * (row[j] * scale), out + j);
}

}  // namespace rr::internal
