#pragma once

#include <fmt/core.h>

#include <cmath>
#include <initializer_list>
#include <string>
#include <utility>

#include "rr/base/result.h"

// What settings of training are refused with.

namespace rr::internal {

inline Error wrong(std::string message) { return {Errc::kRejected, std::move(message), ""}; }

// Refuses a value that is negative or no finite number, by its name.
inline Status check_not_negative(std::initializer_list<std::pair<const char*, double>> values) {
  for (const auto& [name, value] : values) {
    if (std::isfinite(value) && value >= 0) continue;
    return wrong(fmt::format("expected {} to be 0 or more, found {}", name, value));
  }
  return ok_status();
}

}  // namespace rr::internal
