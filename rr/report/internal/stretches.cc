#include "rr/report/internal/stretches.h"

#include <algorithm>
#include <cmath>

namespace rr::internal {
namespace {

std::size_t stretch_of(double step, std::size_t width) {
  return step < 1 ? 0 : (static_cast<std::size_t>(step) - 1) / width;
}

// Of the finite ones; NaN where there is none.
double summary_of(const std::vector<double>& values, Summary summary) {
  if (values.empty()) return std::nan("");
  if (summary == Summary::kHighest) return *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

std::size_t stretch_width(const std::vector<const LineSeries*>& series) {
  double last_step = 0;
  for (const LineSeries* const one : series) {
    if (one->points.size() > kMostPoints) last_step = std::max(last_step, one->points.back().x);
  }
  const auto steps = static_cast<std::size_t>(last_step);
  return std::max<std::size_t>(1, (steps + kMostPoints - 1) / kMostPoints);
}

std::vector<XY> summarised(const std::vector<XY>& points, std::size_t width, Summary summary) {
  if (width == 1 || points.size() <= kMostPoints) return points;
  std::vector<XY> result;
  std::vector<double> values;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (std::isfinite(points[i].y)) values.push_back(points[i].y);
    const bool is_last = i + 1 == points.size() ||
                         stretch_of(points[i + 1].x, width) != stretch_of(points[i].x, width);
    if (!is_last) continue;
    result.push_back({points[i].x, summary_of(values, summary)});
    values.clear();
  }
  return result;
}

}  // namespace rr::internal
