#include "rr/measures/ndcg.h"

#include <algorithm>
#include <cmath>

#include "rr/base/check.h"

namespace rr {
namespace {

// Of a grade above 0.
double linear_gain(int grade) { return grade; }
double exponential_gain(int grade) { return std::exp2(std::min(grade, 1'000)) - 1; }

template <typename Gain>
double dcg_at(std::size_t k, std::span<const int> grades, const Gain& gain) {
  double dcg = 0;
  for (std::size_t i = 0; i < std::min(k, grades.size()); ++i) {
    if (grades[i] > 0) dcg += gain(grades[i]) / std::log2(static_cast<double>(i + 2));
  }
  return dcg;
}

template <typename Gain>
double normalized(std::size_t k, const JudgedRanking& ranking, const Gain& gain) {
  RR_CHECK(k >= 1, "nDCG needs a cutoff of at least 1");
  const double ideal = dcg_at(k, ranking.judgements, gain);
  return ideal == 0 ? 0 : dcg_at(k, ranking.grades, gain) / ideal;
}

}  // namespace

double ndcg_at(std::size_t k, const JudgedRanking& ranking) {
  return normalized(k, ranking, linear_gain);
}

double exponential_ndcg_at(std::size_t k, const JudgedRanking& ranking) {
  return normalized(k, ranking, exponential_gain);
}

}  // namespace rr
