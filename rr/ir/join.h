#pragma once

#include <cstddef>
#include <unordered_set>
#include <vector>

#include "rr/base/result.h"
#include "rr/ir/corpus_file.h"
#include "rr/ir/ranking.h"

namespace rr {

// Topics, a run and a corpus become requests. The candidates of a topic are the first `depth`
// documents of its ranking, in the ranking's order, without those that the topic excludes: an
// excluded document takes no place. Requires depth >= 1.

// The documents that join_requests will look up.
std::unordered_set<Docid> wanted_docids(const std::vector<Topic>& topics, const Run& run,
                                        std::size_t depth);

struct JoinedRequests {
  std::vector<Request> requests;           // in the order of the run
  std::size_t topics_without_ranking = 0;  // topics that the run does not name; left out
  std::size_t excluded_candidates = 0;     // documents left out because their topic excludes them
};

// A topic of the run that `topics` lacks and a candidate that `passages` lacks are refused by name.
Result<JoinedRequests> join_requests(const std::vector<Topic>& topics, const Run& run,
                                     const Passages& passages, std::size_t depth);

}  // namespace rr
