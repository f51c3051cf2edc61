#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "rr/fusion/normalize.h"
#include "rr/ir/ranking.h"

namespace rr {

enum class FusionMethod {
  // Reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009): of a document the sum over
  // runs of weight / (rrf_k + rank), ranks from 1. Scores count by their order only.
  kReciprocalRank,
  // Weighted sum: of a document the sum over runs of weight * normalised score.
  kLinear
};

// What a run without the document adds to a weighted sum.
enum class AbsentScore {
  kZero,   // nothing; under zmuv that is what an average document of the run adds
  kLowest  // weight * the lowest normalised score of the run in this topic
};

struct FusionOptions {
  FusionMethod method = FusionMethod::kReciprocalRank;
  double rrf_k = 60;                                     // at least 0
  Normalization normalization = Normalization::kMinMax;  // of kLinear
  AbsentScore absent = AbsentScore::kZero;               // of kLinear
  std::vector<double> weights = {};                      // one for each run, finite; empty: all 1
  std::size_t depth = 1'000;                             // documents kept in a topic, at least 1
};

// What each run has of one topic.
struct TopicRankings {
  Qid qid;
  std::vector<const Ranking*> rankings;  // one for each run; nullptr: none, or an empty one
};

// The topics of all runs, in the order in which the runs first name them; points into `runs`.
std::vector<TopicRankings> rankings_by_topic(std::span<const Run> runs);

// One run out of several: of each topic all documents that any run has, best first.
//
// Topics stand in the order in which the runs first name them; a run without the topic has no part
// in it. The ranks that count are trec_eval's (sort_as_trec_eval), and so is the order of the
// result. A document's sum is taken in the order of the runs: the same runs, the same bytes.
// The tag is empty. Requires weights.size() == runs.size() where there are weights.
Run fuse(std::span<const Run> runs, const FusionOptions& options);

}  // namespace rr
