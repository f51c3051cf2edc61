#include "rr/measures/average_precision.h"

#include <algorithm>

#include "rr/base/check.h"

namespace rr {

double average_precision_at(std::size_t k, const JudgedRanking& ranking, int relevant_from) {
  RR_CHECK(k >= 1, "a cutoff is at least 1");
  const std::size_t relevant = count_relevant(ranking, relevant_from);
  if (relevant == 0) return 0;
  double found = 0;
  double sum = 0;
  for (std::size_t i = 0; i < std::min(k, ranking.grades.size()); ++i) {
    if (ranking.grades[i] < relevant_from) continue;
    found += 1;
    sum += found / static_cast<double>(i + 1);
  }
  return sum / static_cast<double>(relevant);
}

}  // namespace rr
