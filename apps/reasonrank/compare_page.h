#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/report/comparison_page.h"

namespace rr {

// What `compare --html` reads beside qrels and runs; empty: not given.
struct ComparePageOptions {
  std::string html;
  std::string topics;
  std::string corpus;
  std::vector<std::string> traces;  // RUN=FILE, RUN a run's path or its letter
};

// Which run a --trace belongs to, and its file.
struct NamedTrace {
  std::size_t run = 0;
  std::string path;
};

// Refuses a trace of no run, and two of one run, in words about the command line.
Result<std::vector<NamedTrace>> parse_traces(const std::vector<std::string>& traces,
                                             const std::vector<std::string>& runs);

// Adds texts and costs to the report and writes its page. What is not found of topics, passages and
// traces is counted on standard error; an input that has nothing of them is refused.
Status write_comparison_page(ComparisonReport report, const ComparePageOptions& options);

}  // namespace rr
