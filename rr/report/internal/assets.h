#pragma once

#include <string_view>

// What every page holds, from assets/ and from the system's Chart.js; written by CMake.

namespace rr::internal {

extern const std::string_view kChartJs;
extern const std::string_view kChartJsLicence;
extern const std::string_view kPageCss;
extern const std::string_view kPageJs;

}  // namespace rr::internal
