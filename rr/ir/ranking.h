#pragma once

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "rr/ir/ids.h"
#include "rr/ir/passage.h"
#include "rr/ir/topic.h"

namespace rr {

struct ScoredDocid {
  Docid docid;
  double score = 0;
};

// One topic's documents, best first, no docid twice.
struct Ranking {
  Qid qid;
  std::vector<ScoredDocid> docs;
};

// The rankings of all topics, in the order of the file, no qid twice.
struct Run {
  std::string tag;  // the file's sixth column, or the file's name
  std::vector<Ranking> rankings;
};

// The order in which trec_eval sees a ranking, whatever order its lines had: scores compare as
// 32-bit floats, descending; ties by docid, descending (bytes).
void sort_as_trec_eval(Ranking& ranking);

// Whether that order puts `a` before `b`.
bool is_before_in_trec_eval(const ScoredDocid& a, const ScoredDocid& b);

// One topic with everything that a reranker needs: what rank_llm calls a request.
struct Request {
  Topic topic;
  std::vector<Passage> candidates;  // best first, no docid twice
  std::vector<double> scores;       // the first stage's, of each candidate; same length
};

}  // namespace rr
