#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "rr/ir/corpus_file.h"
#include "rr/measures/compare.h"
#include "rr/report/page.h"
#include "rr/report/run_details.h"

namespace rr {

// What a run cost, over the topics that were compared and that its trace has.
struct RunCost {
  std::size_t topics = 0;
  std::size_t windows = 0;  // calls of the model
  std::size_t prompt_tokens = 0;
  std::size_t completion_tokens = 0;
  double seconds = 0;  // sum over topics of the time from start to last answer
};

struct ReportedRun {
  std::string name;  // as the user knows it: its path
  RunDetails details;
  std::optional<RunCost> cost;
};

struct ComparisonReport {
  std::string qrels;                  // the name of the file
  std::vector<std::string> measures;  // names, as in the comparison
  std::vector<ReportedRun> runs;      // as in the comparison; details under the same qrels
  Comparison comparison;
  CompareOptions options;                        // that the comparison was made with
  std::unordered_map<Qid, std::string> queries;  // those that are known
  Passages passages;                             // those that are known
};

// The page of a comparison: means with intervals, significance, precision over recall, where
// relevant documents stand, costs where they are known; then each run against the base under the
// first measure: topics by difference, topic by topic, movement of relevant documents, and the ten
// topics most helped and most hurt with their text. Numbers are those of comparison_table().
// Requires at least two runs, one measure and one topic.
Page comparison_page(const ComparisonReport& report);

// The topics and documents whose text the page shows where it is known, for whoever looks them up:
// a corpus may be large. Needs no queries and no passages.
std::unordered_set<Qid> shown_topics(const ComparisonReport& report);
std::unordered_set<Docid> shown_documents(const ComparisonReport& report);

}  // namespace rr
