#pragma once

#include <cstddef>
#include <span>

#include "rr/ir/qrels.h"
#include "rr/measures/cutoff.h"
#include "rr/measures/judged_ranking.h"

namespace rr {

// 1 / rank of the first relevant document if that rank is at most k, else 0. In [0, 1]; its mean
// over topics is MRR. With kWholeRanking trec_eval's recip_rank.
// ranking, relevant_from and a topic without relevant documents: as in precision.h.
// Requires k >= 1.
double reciprocal_rank_at(std::size_t k, const JudgedRanking& ranking, int relevant_from = 1);

inline double reciprocal_rank_at(std::size_t k, std::span<const Docid> ranking,
                                 const TopicQrels& qrels, int relevant_from = 1) {
  return reciprocal_rank_at(k, judge(ranking, qrels), relevant_from);
}

}  // namespace rr
