#include "rr/measures/precision.h"

#include <algorithm>

#include "rr/base/check.h"

namespace rr {
namespace {

double relevant_within(std::size_t k, const JudgedRanking& ranking, int relevant_from) {
  RR_CHECK(k >= 1, "a cutoff is at least 1");
  return static_cast<double>(count_relevant_within(k, ranking, relevant_from));
}

}  // namespace

double precision_at(std::size_t k, const JudgedRanking& ranking, int relevant_from) {
  RR_CHECK(k != kWholeRanking, "precision needs a cutoff");
  return relevant_within(k, ranking, relevant_from) / static_cast<double>(k);
}

double recall_at(std::size_t k, const JudgedRanking& ranking, int relevant_from) {
  const std::size_t relevant = count_relevant(ranking, relevant_from);
  if (relevant == 0) return 0;
  return relevant_within(k, ranking, relevant_from) / static_cast<double>(relevant);
}

double r_precision(const JudgedRanking& ranking, int relevant_from) {
  const std::size_t relevant = count_relevant(ranking, relevant_from);
  return relevant == 0 ? 0 : precision_at(relevant, ranking, relevant_from);
}

double success_at(std::size_t k, const JudgedRanking& ranking, int relevant_from) {
  return relevant_within(k, ranking, relevant_from) > 0 ? 1 : 0;
}

double judged_at(std::size_t k, const JudgedRanking& ranking) {
  const std::size_t depth = std::min(k, ranking.grades.size());
  if (depth == 0) return 0;
  return relevant_within(k, ranking, kUnjudged + 1) / static_cast<double>(depth);
}

}  // namespace rr
