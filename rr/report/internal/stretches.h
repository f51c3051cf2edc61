#pragma once

#include <cstddef>
#include <vector>

#include "rr/report/chart.h"
#include "rr/report/internal/training_metrics.h"

namespace rr::internal {

// More points than this are summarised.
inline constexpr std::size_t kMostPoints = 300;

// The width in steps that leaves at most kMostPoints of these series; 1: they are short enough.
std::size_t stretch_width(const std::vector<const LineSeries*>& series);

// One point for each stretch of `width` steps (i * width, (i + 1) * width] that has one, at its
// last step that has one; numbers that are not finite are left out of it. A series of at most
// kMostPoints and one of width 1 stay as they are.
std::vector<XY> summarised(const std::vector<XY>& points, std::size_t width, Summary summary);

}  // namespace rr::internal
