#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "rr/measures/compare.h"
#include "rr/report/table.h"

// The tables of a comparison, on a terminal, in a paper and in a page alike.

namespace rr {

// 'a' for the first run, ...; at most 26 runs have one.
std::string letter_of(std::size_t run);

// "<0.0001", else four digits.
std::string format_p(double p);

// A row for each run: letter, name, mean, the runs that it beats, interval of the mean; difference
// to the base (the first run) with its interval, wins/ties/losses, adjusted p, effect size and
// smallest detectable difference. The best mean is marked.
Table comparison_table(std::span<const std::string> names, const MeasureComparison& measure,
                       const CompareOptions& options);

// Every run against every other: difference of means (row minus column) and adjusted p, toned where
// significant at options.alpha; the letters stand for the runs.
Table significance_table(std::span<const std::string> names, const MeasureComparison& measure,
                         const CompareOptions& options);

// How the numbers were made, for people, a line a sentence: without it nobody can repeat them.
std::string explain_comparison(std::size_t num_runs, const CompareOptions& options);

const char* name_of(TestKind test);
const char* name_of(Correction correction);

}  // namespace rr
