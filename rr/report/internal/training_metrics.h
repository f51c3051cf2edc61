#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rr::internal {

// How many steps become one point where there are more than a chart can show.
enum class Summary {
  kMean,
  kHighest,  // where a single bad step matters
};

// A number of metrics.jsonl, as a page shows it.
struct TrainingMetric {
  std::string key;
  std::string name;   // "held-out loss"
  std::string axis;   // what it measures
  std::string unit;   // may be empty
  std::string about;  // a sentence
  Summary summary = Summary::kMean;
  bool is_share = false;  // within [0, 1]
  std::string kind = {};  // of the runs whose key means this; empty: of all
};

// Metrics that one chart can show together, on one axis.
struct MetricGroup {
  std::string title;
  std::vector<TrainingMetric> metrics;
};

struct MetricSection {
  std::string title;
  std::vector<MetricGroup> groups;
};

// All that the program writes, in the order of the page.
std::span<const MetricSection> known_training_metrics();

// A metric that is not among those: its key says what it is.
TrainingMetric unknown_metric(const std::string& key);

}  // namespace rr::internal
