#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/measures/measure.h"

namespace rr {

struct SuiteDataset {
  std::string name;
  std::filesystem::path qrels;
  bool exclude_own = false;  // its rankings lose the document that is the topic itself (ArguAna)
};

struct SuiteSystem {
  std::string name;
  // One for each data set of the suite; nullopt: the system is not measured on it.
  std::vector<std::optional<std::filesystem::path>> runs;
};

// Several systems on several data sets, such as the twelve of BRIGHT.
struct Suite {
  std::vector<SuiteDataset> datasets;  // in the order of the file, at least one, no name twice
  std::vector<SuiteSystem> systems;    // in the order of the file, at least one
  std::vector<Measure> measures;       // empty: the file names none
  bool all_topics = false;             // topics without a ranking count as 0 (trec_eval -c)
};

// Reads a suite, a TOML file (docs/formats/suite.md). Relative paths count from the file's folder.
// Refused, with the line: what is no TOML, an unknown key, a value of another type, a data set or a
// measure that is not known, a name twice, a suite without data sets, systems or qrels. Whether the
// files that it names exist is not looked at.
Result<Suite> read_suite(const std::filesystem::path& path);

// The mean over data sets, each counting the same however many topics it has, of a system's means.
// nullopt where the system lacks one of them: its mean would be over other data sets than the
// others'. Requires at least one.
std::optional<double> mean_over_datasets(std::span<const std::optional<double>> means);

}  // namespace rr
