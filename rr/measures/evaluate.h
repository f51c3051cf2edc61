#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "rr/ir/qrels.h"
#include "rr/ir/ranking.h"
#include "rr/measures/measure.h"

namespace rr {

// What becomes of a topic that has qrels and no ranking.
enum class MissingTopics {
  kAbsent,  // it is not in the means (trec_eval)
  kZero,    // it counts as 0 in the means (trec_eval -c)
};

struct TopicValues {
  Qid qid;
  std::vector<double> values;  // one for each measure
};

struct Evaluation {
  std::vector<double> means;        // one for each measure; 0 where there is no topic
  std::vector<TopicValues> topics;  // those in the means, by qid (bytes)
  std::size_t only_in_run = 0;      // topics with a ranking and no qrels: never in the means
  std::size_t only_in_qrels = 0;    // topics with qrels and no ranking, or an empty one
};

// A run's values as trec_eval has them: each ranking is first put in order by sort_as_trec_eval;
// means are over the topics with both a ranking and qrels.
//
// RBO compares with the ranking of the same topic in `reference` (rbo_value_of); a topic
// that `reference` lacks counts as an empty ranking. Requires reference != nullptr where a measure
// is RBO.
Evaluation evaluate_run(const Run& run, const Qrels& qrels, std::span<const Measure> measures,
                        MissingTopics missing = MissingTopics::kAbsent,
                        const Run* reference = nullptr);

}  // namespace rr
