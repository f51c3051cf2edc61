#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "rr/ir/qrels.h"
#include "rr/ir/ranking.h"
#include "rr/measures/interpolated_precision.h"

namespace rr {

struct RelevantDocument {
  Docid docid;
  int grade = 0;
  std::size_t rank = 0;  // from 1, in trec_eval's order; 0: the run does not have it
};

struct TopicDetails {
  Qid qid;
  std::array<double, kRecallLevels> precision{};  // interpolated_precision
  std::vector<RelevantDocument> relevant;         // all relevant documents of the qrels, by docid
};

// What a page needs of a run beside its measures: much less than the run, so that many runs can be
// looked at one after the other. One entry for each topic of the qrels, by qid: the details of two
// runs under the same qrels stand side by side.
using RunDetails = std::vector<TopicDetails>;

// A topic without a ranking finds nothing. relevant_from: the lowest relevant grade, at least 1.
RunDetails details_of(const Run& run, const Qrels& qrels, int relevant_from = 1);

}  // namespace rr
