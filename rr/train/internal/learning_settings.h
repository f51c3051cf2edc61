#pragma once

#include <cmath>
#include <cstddef>
#include <optional>

#include "rr/nn/learner.h"
#include "rr/train/schedule.h"

// What the settings that all kinds of training have in common mean for the parts: fields precision,
// seed, lora, lora_alpha, schedule, warmup.

namespace rr::internal {

// Adapters of a rank; 0: none. alpha 0: the rank.
inline std::optional<LoraShape> lora_shape(std::size_t rank, double alpha) {
  if (rank == 0) return std::nullopt;
  return LoraShape{rank, static_cast<float>(alpha > 0 ? alpha : static_cast<double>(rank))};
}

template <typename Settings>
LearnerOptions learner_options_of(const Settings& settings) {
  LearnerOptions options;
  options.precision = settings.precision == "f32" ? Precision::kF32 : Precision::kBf16;
  options.seed = settings.seed;
  options.lora = lora_shape(settings.lora, settings.lora_alpha);
  return options;
}

// A warm-up below 1 is a share of the steps.
template <typename Settings>
Schedule schedule_of(const Settings& settings, double peak, std::size_t num_steps) {
  const double warmup =
      settings.warmup < 1 ? settings.warmup * static_cast<double>(num_steps) : settings.warmup;
  return {decay_named(settings.schedule), peak, static_cast<std::size_t>(std::ceil(warmup)),
          num_steps};
}

}  // namespace rr::internal
