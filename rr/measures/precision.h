#pragma once

#include <cstddef>
#include <span>

#include "rr/ir/qrels.h"
#include "rr/measures/cutoff.h"
#include "rr/measures/judged_ranking.h"

namespace rr {

// Set measures of a ranking's head, each in [0, 1], as in trec_eval. For all of them:
//
// ranking: best first, no docid twice; its order is taken as it is (ir/ranking.h).
// relevant_from: the lowest grade that counts as relevant, at least 1 (trec_eval -l).
// A topic without relevant documents scores 0 and still counts in a mean.
// Requires k >= 1; kWholeRanking stands for no cutoff, except in P@k.

// P@k = relevant documents among the first k / k. A ranking shorter than k is not excused.
// Requires k != kWholeRanking.
double precision_at(std::size_t k, const JudgedRanking& ranking, int relevant_from = 1);

// R@k = relevant documents among the first k / all relevant documents.
double recall_at(std::size_t k, const JudgedRanking& ranking, int relevant_from = 1);

// Rprec: P@k at k = the number of relevant documents.
double r_precision(const JudgedRanking& ranking, int relevant_from = 1);

// Success@k: 1 if one of the first k documents is relevant, else 0.
double success_at(std::size_t k, const JudgedRanking& ranking, int relevant_from = 1);

// Judged@k = judged documents among the first k / min(k, length): how much of what was found
// anybody has looked at. Any grade is a judgement, negative ones too (ir_measures). An empty
// ranking gives 0.
double judged_at(std::size_t k, const JudgedRanking& ranking);

inline double precision_at(std::size_t k, std::span<const Docid> ranking, const TopicQrels& qrels,
                           int relevant_from = 1) {
  return precision_at(k, judge(ranking, qrels), relevant_from);
}
inline double recall_at(std::size_t k, std::span<const Docid> ranking, const TopicQrels& qrels,
                        int relevant_from = 1) {
  return recall_at(k, judge(ranking, qrels), relevant_from);
}
inline double r_precision(std::span<const Docid> ranking, const TopicQrels& qrels,
                          int relevant_from = 1) {
  return r_precision(judge(ranking, qrels), relevant_from);
}
inline double success_at(std::size_t k, std::span<const Docid> ranking, const TopicQrels& qrels,
                         int relevant_from = 1) {
  return success_at(k, judge(ranking, qrels), relevant_from);
}
inline double judged_at(std::size_t k, std::span<const Docid> ranking, const TopicQrels& qrels) {
  return judged_at(k, judge(ranking, qrels));
}

}  // namespace rr
