#pragma once

#include <cstddef>
#include <span>

#include "rr/ir/qrels.h"
#include "rr/measures/cutoff.h"
#include "rr/measures/judged_ranking.h"

namespace rr {

// Normalized discounted cumulative gain at rank k, in [0, 1].
//
//   nDCG@k = DCG@k / DCG@k of the ideal ranking,   DCG@k = sum_{i=1..k} grade_i / log2(i + 1)
//
// Jarvelin and Kekalainen, TOIS 20(4), 2002, with the linear gain of trec_eval's ndcg_cut; with
// kWholeRanking its ndcg.
//
// ranking: best first, no docid twice. Its order is taken as it is; ties in score were settled when
//     the ranking was made (ir/ranking.h).
// An unjudged document and one with a negative grade gain 0. A topic without relevant documents
// scores 0 and still counts in a mean. The ideal ranks every judged document, retrieved or not.
// Requires k >= 1.
double ndcg_at(std::size_t k, const JudgedRanking& ranking);

inline double ndcg_at(std::size_t k, std::span<const Docid> ranking, const TopicQrels& qrels) {
  return ndcg_at(k, judge(ranking, qrels));
}

// The same with the gain 2^grade - 1 (Burges et al., ICML 2005), which the web tracks' gdeval
// reports: a grade counts about twice the one below it. Grades above 1,000 count as 1,000.
double exponential_ndcg_at(std::size_t k, const JudgedRanking& ranking);

}  // namespace rr
