#include "rr/measures/reciprocal_rank.h"

#include <algorithm>

#include "rr/base/check.h"
#include "rr/measures/internal/grades.h"

namespace rr {

double reciprocal_rank_at(std::size_t k, std::span<const Docid> ranking, const TopicQrels& qrels,
                          int relevant_from) {
  RR_CHECK(k >= 1, "a cutoff is at least 1");
  for (std::size_t i = 0; i < std::min(k, ranking.size()); ++i) {
    if (grade_of(ranking[i], qrels) >= relevant_from) return 1.0 / static_cast<double>(i + 1);
  }
  return 0;
}

}  // namespace rr
