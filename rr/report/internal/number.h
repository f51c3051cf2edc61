#pragma once

#include <span>
#include <string>
#include <vector>

namespace rr::internal {

// A number as charts and the tables behind them have it: six significant digits, which is more
// than a screen shows and keeps pages small. Empty where it is not finite.
std::string format_number(double number);

// The same digits as a number; NaN where it is not finite.
double rounded(double number);

// "0.1 – 0.2" for each bin.
std::vector<std::string> bin_names(std::span<const double> edges);

}  // namespace rr::internal
