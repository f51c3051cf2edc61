#pragma once

#include <fmt/core.h>

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>

#include "rr/base/result.h"
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

inline Precision precision_named(const std::string& name) {
  if (name == "f32") return Precision::kF32;
  if (name == "int8") return Precision::kInt8;
  return name == "int4" ? Precision::kInt4 : Precision::kBf16;
}

// Refuses settings in which adapters have a scale and there are none, or weights should learn that
// cannot.
template <typename Settings>
Status check_adapters(const Settings& settings) {
  if (settings.lora > 0) return ok_status();
  if (settings.lora_alpha > 0) {
    return Error{Errc::kRejected,
                 "lora-alpha scales adapters, and there are none without --lora RANK", ""};
  }
  if (settings.precision == "int8" || settings.precision == "int4") {
    return Error{Errc::kRejected,
                 fmt::format("weights in {} stay as they are and only adapters learn beside them; "
                             "add --lora RANK, or take --compute bf16 for all weights to learn",
                             settings.precision),
                 ""};
  }
  return ok_status();
}

template <typename Settings>
LearnerOptions learner_options_of(const Settings& settings) {
  LearnerOptions options;
  options.precision = precision_named(settings.precision);
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
