#include "rr/measures/reciprocal_rank.h"

#include <algorithm>

#include "rr/base/check.h"

namespace rr {

double reciprocal_rank_at(std::size_t k, const JudgedRanking& ranking, int relevant_from) {
  RR_CHECK(k >= 1, "a cutoff is at least 1");
  for (std::size_t i = 0; i < std::min(k, ranking.grades.size()); ++i) {
    if (ranking.grades[i] >= relevant_from) return 1.0 / static_cast<double>(i + 1);
  }
  return 0;
}

}  // namespace rr
