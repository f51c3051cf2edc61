#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/report/chart.h"

namespace rr {

// A reply that a model gave while it learnt: a line of samples.jsonl.
struct SampleReply {
  std::size_t step = 0;
  std::string qid;  // may be empty, like query
  std::string query;
  std::string reply;
  std::vector<std::pair<std::string, double>> scores;  // every number by its key: "reward", ...
};

// What a run of training has written about itself (docs/formats/training-run.md).
struct TrainingLog {
  std::string name;  // as the user knows the run: its folder
  Json run;          // run.json
  // Every number of metrics.jsonl by its key, in the order in which keys appear; x is the step.
  std::vector<LineSeries> metrics;
  std::vector<SampleReply> samples;  // those to show, by step
  // A file's last line is not whole: the run is being written, or was killed.
  bool is_cut = false;

  // nullptr: the run has no such key.
  const LineSeries* find(std::string_view key) const;
};

// Of a run's samples, those of `kSampleSteps` steps spread over the run, the first and the last
// among them, and of each the first `kSamplesOfStep`.
inline constexpr std::size_t kSampleSteps = 6;
inline constexpr std::size_t kSamplesOfStep = 3;

// Reads metrics.jsonl and samples.jsonl of the folder; either may be absent. Refused: a line other
// than the last that is no JSON object with a step, and steps that do not ascend.
Result<TrainingLog> read_training_log(const std::filesystem::path& folder, Json run);

}  // namespace rr
