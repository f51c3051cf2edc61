#pragma once

#include <cstddef>

#include "rr/base/exponential.h"
#include "rr/nn/internal/bf16.h"

namespace rr::internal {

// A row of logits as a distribution over the vocabulary: log p_t = logit_t - log_sum_exp(logits).

// The largest logit and the sum of e^(logit - largest). logits: [size], size >= 1.
static inline void softmax_terms(const float* logits, std::size_t size, float* top_out,
                                 float* sum_out) {
  constexpr std::size_t kLanes = 16;  // partial results: one order of adding on every machine
  float tops[kLanes];
  for (std::size_t lane = 0; lane < kLanes; ++lane) tops[lane] = logits[0];
  std::size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      tops[lane] = logits[i + lane] > tops[lane] ? logits[i + lane] : tops[lane];
    }
  }
  float top = logits[0];
  for (; i < size; ++i) top = logits[i] > top ? logits[i] : top;
  for (std::size_t lane = 0; lane < kLanes; ++lane) top = tops[lane] > top ? tops[lane] : top;
  // Summed block by block: a running sum of a whole vocabulary would swallow its small terms.
  constexpr std::size_t kBlock = 16 * kLanes;
  double sum = 0;
  for (i = 0; i + kLanes <= size;) {
    float sums[kLanes] = {};
    for (const std::size_t end = i + kBlock; i < end && i + kLanes <= size; i += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        sums[lane] += exponential(logits[i + lane] - top);
      }
    }
    for (std::size_t lane = 0; lane < kLanes; ++lane) sum += static_cast<double>(sums[lane]);
  }
  for (; i < size; ++i) sum += static_cast<double>(exponential(logits[i] - top));
  *top_out = top;
  *sum_out = static_cast<float>(sum);
}

// The gradient with respect to the logits, when that with respect to log p_target is `slope`:
//
//   out_j = slope * (1[j = target] - e^(logit_j - top) / sum)
//
// `top` and `sum` as softmax_terms() gives them. Out is float or Bf16.
template <typename Out>
static inline void softmax_gradient(const float* logits, std::size_t size, float top, float sum,
                                    std::size_t target, float slope, Out* out) {
  const float factor = -slope / sum;
  for (std::size_t i = 0; i < size; ++i) store(exponential(logits[i] - top) * factor, out + i);
  store(slope + exponential(logits[target] - top) * factor, out + target);
}

}  // namespace rr::internal
