#pragma once

#include <cstddef>

#include "rr/base/exponential.h"

namespace rr::internal {

// Logits are summed in blocks of so many in float32, and these by whoever asks in double: a float
// that grows by small terms would lose them.
constexpr std::size_t kLogitBlock = 256;

// Loops over a whole vocabulary, compiled for several instruction sets. All give the same bits.
// This header includes nothing that could leave an inline function of one of them to the rest of
// the program.
struct LogitLoops {
  const char* name;

  // Requires size >= 1. NaN where the first one is; others are passed over.
  float (*largest)(const float* logits, std::size_t size);

  // sums[b]: the weights e^((logit - top) * inverse) in block b, without those below `least`.
  // Requires logits of at most top. NaN where a logit is.
  void (*sum_weights)(const float* logits, std::size_t size, float top, float inverse, float least,
                      float* sums);
};

// The fastest that this machine runs (REASONRANK_ISA).
const LogitLoops& logit_loops();

const LogitLoops& baseline_logit_loops();
const LogitLoops& avx2_logit_loops();    // x86-64 alone
const LogitLoops& avx512_logit_loops();  // x86-64 alone

// Lanes are partial results: one order of adding on every machine.
constexpr std::size_t kLogitLanes = 16;

static inline float largest_logit(const float* logits, std::size_t size) {
  float tops[kLogitLanes];
  for (float& top : tops) top = logits[0];
  std::size_t i = 0;
  for (; i + kLogitLanes <= size; i += kLogitLanes) {
    for (std::size_t lane = 0; lane < kLogitLanes; ++lane) {
      tops[lane] = logits[i + lane] > tops[lane] ? logits[i + lane] : tops[lane];
    }
  }
  for (; i < size; ++i) tops[0] = logits[i] > tops[0] ? logits[i] : tops[0];
  for (const float top : tops) tops[0] = top > tops[0] ? top : tops[0];
  return tops[0];
}

static inline float logit_weight(float logit, float top, float inverse) {
  return exponential((logit - top) * inverse);
}

static inline void sum_logit_weights(const float* logits, std::size_t size, float top,
                                     float inverse, float least, float* sums) {
  const auto term = [=](float logit) {
    const float weight = logit_weight(logit, top, inverse);
    return weight < least ? 0.0f : weight;
  };
  for (std::size_t begin = 0; begin < size; begin += kLogitBlock) {
    const std::size_t end = begin + kLogitBlock < size ? begin + kLogitBlock : size;
    float lanes[kLogitLanes] = {};
    std::size_t i = begin;
    for (; i + kLogitLanes <= end; i += kLogitLanes) {
      for (std::size_t lane = 0; lane < kLogitLanes; ++lane) lanes[lane] += term(logits[i + lane]);
    }
    for (; i < end; ++i) lanes[0] += term(logits[i]);
    float sum = 0;
    for (const float lane : lanes) sum += lane;
    *sums++ = sum;
  }
}

}  // namespace rr::internal
