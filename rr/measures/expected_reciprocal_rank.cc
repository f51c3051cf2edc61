#include "rr/measures/expected_reciprocal_rank.h"

#include <algorithm>
#include <cmath>

#include "rr/base/check.h"

namespace rr {

double expected_reciprocal_rank_at(std::size_t k, const JudgedRanking& ranking) {
  RR_CHECK(k >= 1, "a cutoff is at least 1");
  double sum = 0;
  double still_reading = 1;
  for (std::size_t i = 0; i < std::min(k, ranking.grades.size()); ++i) {
    const int grade = std::clamp(ranking.grades[i], 0, kHighestErrGrade);
    const double stops = (std::exp2(grade) - 1) / std::exp2(kHighestErrGrade);
    sum += still_reading * stops / static_cast<double>(i + 1);
    still_reading *= 1 - stops;
  }
  return sum;
}

}  // namespace rr
