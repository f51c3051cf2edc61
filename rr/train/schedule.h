#pragma once

#include <cstddef>
#include <string_view>

namespace rr {

enum class Decay { kConstant, kLinear, kCosine };

// "constant", "linear", "cosine"; anything else is taken for the last.
Decay decay_named(std::string_view name);

// The learning rate over a run. With warm-up w and n steps in all, at step s = 1..n:
//
//   s <= w:  peak * s / w                     so that the first step already learns
//   s >  w:  peak                             constant
//            peak * (1 - f)                   linear,  f = (s - 1 - w) / (n - w)
//            peak * (1 + cos(pi f)) / 2       cosine
struct Schedule {
  Decay decay = Decay::kCosine;
  double peak = 0;
  std::size_t warmup_steps = 0;
  std::size_t num_steps = 0;

  double rate_at(std::size_t step) const;
};

}  // namespace rr
