#include "rr/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace rr {

Decay decay_named(std::string_view name) {
  if (name == "constant") return Decay::kConstant;
  return name == "linear" ? Decay::kLinear : Decay::kCosine;
}

double Schedule::rate_at(std::size_t step) const {
  if (step <= warmup_steps) {
    return peak * static_cast<double>(step) / static_cast<double>(warmup_steps);
  }
  const double done = static_cast<double>(step - 1 - warmup_steps);
  const double all = static_cast<double>(std::max(num_steps, warmup_steps + 1) - warmup_steps);
  const double f = std::min(1.0, done / all);
  switch (decay) {
    case Decay::kLinear:
      return peak * (1 - f);
    case Decay::kCosine:
      return peak * (1 + std::cos(std::numbers::pi * f)) / 2;
    case Decay::kConstant:
      break;
  }
  return peak;
}

}  // namespace rr
