#include "rr/measures/precision.h"

#include <algorithm>

#include "rr/base/check.h"
#include "rr/measures/internal/grades.h"

namespace rr {
namespace {

double relevant_within(std::size_t k, std::span<const Docid> ranking, const TopicQrels& qrels,
                       int relevant_from) {
  RR_CHECK(k >= 1, "a cutoff is at least 1");
  const auto head = ranking.first(std::min(k, ranking.size()));
  return static_cast<double>(std::count_if(head.begin(), head.end(), [&](const Docid& docid) {
    return grade_of(docid, qrels) >= relevant_from;
  }));
}

}  // namespace

double precision_at(std::size_t k, std::span<const Docid> ranking, const TopicQrels& qrels,
                    int relevant_from) {
  RR_CHECK(k != kWholeRanking, "precision needs a cutoff");
  return relevant_within(k, ranking, qrels, relevant_from) / static_cast<double>(k);
}

double recall_at(std::size_t k, std::span<const Docid> ranking, const TopicQrels& qrels,
                 int relevant_from) {
  const std::size_t relevant = count_relevant(qrels, relevant_from);
  if (relevant == 0) return 0;
  return relevant_within(k, ranking, qrels, relevant_from) / static_cast<double>(relevant);
}

double r_precision(std::span<const Docid> ranking, const TopicQrels& qrels, int relevant_from) {
  const std::size_t relevant = count_relevant(qrels, relevant_from);
  return relevant == 0 ? 0 : precision_at(relevant, ranking, qrels, relevant_from);
}

double success_at(std::size_t k, std::span<const Docid> ranking, const TopicQrels& qrels,
                  int relevant_from) {
  return relevant_within(k, ranking, qrels, relevant_from) > 0 ? 1 : 0;
}

}  // namespace rr
