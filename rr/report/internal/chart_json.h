#pragma once

#include "rr/base/json.h"
#include "rr/report/chart.h"

namespace rr::internal {

// A chart as assets/page.js reads it; numbers to six significant digits, gaps as null.
//
//   kind        "lines", "bars" or "scatter"; a histogram is bars without space between them
//   x, y        axes: title (with its unit); min, max, log where they are set
//   categories  of bars
//   series      name, and: lines x, y; bars y, (low, high); scatter x, y, label
//   horizontal, bySign, joined, diagonal: true where they are
//
// Requires series that fit their categories or bins, and titles for both axes.
Json chart_to_json(const Chart& chart);

}  // namespace rr::internal
