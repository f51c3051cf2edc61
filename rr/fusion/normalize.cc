#include "rr/fusion/normalize.h"

#include <algorithm>
#include <cmath>

#include "rr/base/check.h"

namespace rr {
namespace {

void to_unit_range(std::vector<double>& scores) {
  const auto [least, greatest] = std::minmax_element(scores.begin(), scores.end());
  const double low = *least;
  // Halves, so that the range of any two finite numbers is finite.
  const double half_range = *greatest / 2 - low / 2;
  for (double& score : scores) {
    score = half_range > 0 ? (score / 2 - low / 2) / half_range : 1;
  }
}

void to_zero_mean_and_unit_variance(std::vector<double>& scores) {
  // Measured in units of the largest, so that no square overflows.
  double largest = 0;
  for (const double score : scores) largest = std::max(largest, std::abs(score));
  const bool all_equal =
      std::all_of(scores.begin(), scores.end(), [&](double s) { return s == scores.front(); });
  if (all_equal) return std::fill(scores.begin(), scores.end(), 0.0);
  const auto n = static_cast<double>(scores.size());
  double mean = 0;
  for (double& score : scores) mean += (score /= largest) / n;
  double variance = 0;
  for (const double score : scores) variance += (score - mean) * (score - mean) / n;
  for (double& score : scores) score = variance > 0 ? (score - mean) / std::sqrt(variance) : 0;
}

}  // namespace

std::vector<double> normalized_scores(const Ranking& ranking, Normalization normalization) {
  std::vector<double> scores;
  scores.reserve(ranking.docs.size());
  for (const ScoredDocid& doc : ranking.docs) {
    RR_CHECK(std::isfinite(doc.score), "a score is a finite number");
    scores.push_back(doc.score);
  }
  if (scores.empty()) return scores;
  if (normalization == Normalization::kMinMax) to_unit_range(scores);
  if (normalization == Normalization::kZmuv) to_zero_mean_and_unit_variance(scores);
  return scores;
}

}  // namespace rr
