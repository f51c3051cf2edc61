#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/nn/parameter.h"

namespace rr::internal {

// The first log-probability that is no number.
inline std::optional<std::size_t> first_not_finite(const std::vector<float>& logprobs) {
  const auto it = std::find_if(logprobs.begin(), logprobs.end(),
                               [](float logprob) { return !std::isfinite(logprob); });
  if (it == logprobs.end()) return std::nullopt;
  return static_cast<std::size_t>(it - logprobs.begin());
}

// Refuses a gradient whose norm is no number, and names the tensor. `where`: the step's examples.
inline Status check_gradient(std::span<const Parameter> parameters, double norm, std::size_t step,
                             const std::string& where) {
  if (std::isfinite(norm)) return ok_status();
  for (const Parameter& parameter : parameters) {
    const bool is_finite = std::all_of(parameter.gradient.begin(), parameter.gradient.end(),
                                       [](float g) { return std::isfinite(g); });
    if (is_finite) continue;
    return Error{Errc::kRejected,
                 fmt::format("step {}: the gradient of {} is not finite; a lower learning rate may "
                             "help",
                             step, parameter.name),
                 where};
  }
  return Error{Errc::kRejected,
               fmt::format("step {}: the norm of the gradient is too large for a number", step),
               where};
}

}  // namespace rr::internal
