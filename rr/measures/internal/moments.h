#pragma once

#include <cmath>
#include <numeric>
#include <span>

namespace rr {

// 0 for no values.
inline double mean_of(std::span<const double> values) {
  if (values.empty()) return 0;
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return sum / static_cast<double>(values.size());
}

// Of a sample (n - 1). Equal values give 0, whatever rounding makes of their mean. Requires at
// least two values.
inline double standard_deviation_of(std::span<const double> values) {
  const double mean = mean_of(values);
  double squares = 0;
  bool all_equal = true;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
    all_equal = all_equal && value == values[0];
  }
  return all_equal ? 0 : std::sqrt(squares / static_cast<double>(values.size() - 1));
}

}  // namespace rr
