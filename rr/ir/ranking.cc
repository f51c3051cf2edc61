#include "rr/ir/ranking.h"

#include <algorithm>

namespace rr {

bool is_before_in_trec_eval(const ScoredDocid& a, const ScoredDocid& b) {
  const auto score_a = static_cast<float>(a.score);
  const auto score_b = static_cast<float>(b.score);
  if (score_a != score_b) return score_a > score_b;
  return a.docid > b.docid;
}

void sort_as_trec_eval(Ranking& ranking) {
  std::sort(ranking.docs.begin(), ranking.docs.end(), is_before_in_trec_eval);
}

}  // namespace rr
