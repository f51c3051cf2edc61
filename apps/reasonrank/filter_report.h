#pragma once

#include <span>
#include <string>
#include <vector>

#include "rr/report/page.h"
#include "rr/report/table.h"
#include "rr/synth/consistency.h"

namespace rr {

// What a filter did, as tables: counts by data set, what each threshold would keep, the histogram.
std::vector<Table> tables_of(const ConsistencyReport& report);

// The same as a page, with charts, and with the reasoning of a few samples of each side, those
// nearest to the threshold first. `source` names where the samples are from.
Page filter_page(const ConsistencyReport& report, std::span<const Sample> samples,
                 const std::string& source);

}  // namespace rr
