#include "rr/measures/ndcg.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "rr/base/check.h"
#include "rr/measures/internal/grades.h"

namespace rr {
namespace {

double discounted(int grade, std::size_t index) {
  return grade <= 0 ? 0.0 : grade / std::log2(static_cast<double>(index + 2));
}

double ideal_dcg_at(std::size_t k, const TopicQrels& qrels) {
  std::vector<int> gains;
  for (const auto& [docid, grade] : qrels) {
    if (grade > 0) gains.push_back(grade);
  }
  std::sort(gains.begin(), gains.end(), std::greater<>());
  double dcg = 0;
  for (std::size_t i = 0; i < std::min(k, gains.size()); ++i) dcg += discounted(gains[i], i);
  return dcg;
}

}  // namespace

double ndcg_at(std::size_t k, std::span<const Docid> ranking, const TopicQrels& qrels) {
  RR_CHECK(k >= 1, "nDCG needs a cutoff of at least 1");
  const double ideal = ideal_dcg_at(k, qrels);
  if (ideal == 0) return 0;
  double dcg = 0;
  for (std::size_t i = 0; i < std::min(k, ranking.size()); ++i) {
    dcg += discounted(grade_of(ranking[i], qrels), i);
  }
  return dcg / ideal;
}

}  // namespace rr
