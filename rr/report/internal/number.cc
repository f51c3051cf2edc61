#include "rr/report/internal/number.h"

#include <fmt/core.h>

#include <cmath>
#include <cstdlib>
#include <limits>

namespace rr::internal {

std::string format_number(double number) {
  if (!std::isfinite(number)) return "";
  return fmt::format("{:.6g}", number == 0 ? 0.0 : number);  // no "-0"
}

double rounded(double number) {
  if (!std::isfinite(number)) return std::numeric_limits<double>::quiet_NaN();
  return std::strtod(format_number(number).c_str(), nullptr);
}

std::vector<std::string> bin_names(std::span<const double> edges) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
    names.push_back(format_number(edges[i]) + " – " + format_number(edges[i + 1]));
  }
  return names;
}

}  // namespace rr::internal
