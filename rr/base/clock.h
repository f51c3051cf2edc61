#pragma once

#include <chrono>

namespace rr {

// Measures how long things take; no change of the date moves it.
using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace rr
