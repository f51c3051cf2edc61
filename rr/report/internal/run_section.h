#pragma once

#include <cstddef>
#include <string>

#include "rr/report/comparison_page.h"
#include "rr/report/page.h"

namespace rr::internal {

// How the page's tables name a run: the last part of its path, or all where another run's is the
// same.
std::string file_name(const ComparisonReport& report, std::size_t run);

// How charts and headings name a run: its letter and file_name().
std::string short_name(const ComparisonReport& report, std::size_t run);

// A run against the base, topic by topic, under the first measure. Requires run >= 1.
Section run_section(const ComparisonReport& report, std::size_t run);

}  // namespace rr::internal
