#include "rr/measures/interpolated_precision.h"

#include <algorithm>
#include <vector>

namespace rr {
namespace {

// best[n]: the highest precision where at least n relevant documents have been seen.
std::vector<double> best_precisions(const JudgedRanking& ranking, int relevant_from) {
  std::vector<double> best = {0};
  for (std::size_t i = 0; i < ranking.grades.size(); ++i) {
    if (ranking.grades[i] < relevant_from) continue;
    const auto relevant = static_cast<double>(best.size());
    best.push_back(relevant / static_cast<double>(i + 1));
  }
  // Precision is highest where a relevant document has just been seen.
  for (std::size_t n = best.size() - 1; n > 0; --n) best[n - 1] = std::max(best[n - 1], best[n]);
  return best;
}

}  // namespace

std::array<double, kRecallLevels> interpolated_precision(const JudgedRanking& ranking,
                                                         int relevant_from) {
  const std::vector<double> best = best_precisions(ranking, relevant_from);
  const auto relevant = static_cast<double>(count_relevant(ranking, relevant_from));
  std::array<double, kRecallLevels> values{};
  for (std::size_t i = 0; i < kRecallLevels; ++i) {
    const auto enough = static_cast<std::size_t>(static_cast<double>(i) / 10.0 * relevant + 0.5);
    if (enough < best.size()) values[i] = best[enough];
  }
  return values;
}

}  // namespace rr
