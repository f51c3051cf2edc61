#pragma once

#include <cstddef>
#include <span>

#include "rr/ir/qrels.h"
#include "rr/measures/cutoff.h"
#include "rr/measures/judged_ranking.h"

namespace rr {

// Average precision at rank k, in [0, 1]; its mean over topics is MAP.
//
//   AP@k = sum of P@i over the ranks i <= k of relevant documents / all relevant documents
//
// trec_eval's map_cut; with kWholeRanking its map. The divisor is not cut at k.
// ranking, relevant_from and a topic without relevant documents: as in precision.h.
// Requires k >= 1.
double average_precision_at(std::size_t k, const JudgedRanking& ranking, int relevant_from = 1);

inline double average_precision_at(std::size_t k, std::span<const Docid> ranking,
                                   const TopicQrels& qrels, int relevant_from = 1) {
  return average_precision_at(k, judge(ranking, qrels), relevant_from);
}

}  // namespace rr
