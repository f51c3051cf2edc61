#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/reasonrank/evaluated_runs.h"
#include "rr/measures/suite_file.h"

// `evaluate --suite`: several systems on several data sets.

namespace rr {

struct SuiteResults {
  Suite suite;
  std::vector<Measure> measures;
  MissingTopics missing = MissingTopics::kAbsent;
  // [system][data set]; nullopt where the system is not measured on it.
  std::vector<std::vector<std::optional<Evaluation>>> evaluations;
};

// Evaluates every run of the suite. Of `inputs` count the measures, where `measures_are_given` or
// the suite has none, and the options that are on: they hold for every data set.
Result<SuiteResults> evaluate_suite(const std::string& path, const EvaluationInputs& inputs,
                                    bool measures_are_given);

// As `evaluate --format` names them.
std::string format_suite(const SuiteResults& results, const std::string& format, bool per_topic);

}  // namespace rr
