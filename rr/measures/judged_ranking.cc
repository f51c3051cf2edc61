#include "rr/measures/judged_ranking.h"

#include <algorithm>
#include <functional>

namespace rr {

JudgedRanking judge(std::span<const Docid> ranking, const TopicQrels& qrels) {
  JudgedRanking judged;
  judged.grades.reserve(ranking.size());
  for (const Docid& docid : ranking) {
    const auto judgement = qrels.find(docid);
    judged.grades.push_back(judgement == qrels.end() ? kUnjudged : judgement->second);
  }
  judged.judgements = sorted_grades(qrels);
  return judged;
}

std::vector<int> sorted_grades(const TopicQrels& qrels) {
  std::vector<int> grades;
  grades.reserve(qrels.size());
  for (const auto& [docid, grade] : qrels) grades.push_back(grade);
  std::sort(grades.begin(), grades.end(), std::greater<>());
  return grades;
}

std::size_t count_relevant(const JudgedRanking& ranking, int relevant_from) {
  const auto& grades = ranking.judgements;
  const auto end = std::partition_point(grades.begin(), grades.end(),
                                        [&](int grade) { return grade >= relevant_from; });
  return static_cast<std::size_t>(end - grades.begin());
}

std::size_t count_relevant_within(std::size_t k, const JudgedRanking& ranking, int relevant_from) {
  const auto head = std::span(ranking.grades).first(std::min(k, ranking.grades.size()));
  return static_cast<std::size_t>(
      std::count_if(head.begin(), head.end(), [&](int grade) { return grade >= relevant_from; }));
}

}  // namespace rr
