#include "rr/measures/binary_preference.h"

#include <algorithm>

namespace rr {

double binary_preference(const JudgedRanking& ranking, int relevant_from) {
  const std::size_t relevant = count_relevant(ranking, relevant_from);
  if (relevant == 0) return 0;
  const std::size_t non_relevant = count_relevant(ranking, 0) - relevant;
  const auto most_counted = static_cast<double>(std::min(non_relevant, relevant));
  std::size_t above = 0;
  double sum = 0;
  for (const int grade : ranking.grades) {
    if (grade >= relevant_from) {
      sum += above == 0 ? 1 : 1 - static_cast<double>(std::min(above, relevant)) / most_counted;
    } else if (grade >= 0) {
      ++above;
    }
  }
  return sum / static_cast<double>(relevant);
}

}  // namespace rr
