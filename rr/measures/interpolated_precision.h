#pragma once

#include <array>
#include <cstddef>

#include "rr/measures/judged_ranking.h"

namespace rr {

inline constexpr std::size_t kRecallLevels = 11;

// Interpolated precision at recall 0.0, 0.1, ..., 1.0: the points of the precision/recall curve.
//
//   value[i] = the highest P@k over all k whose first k documents hold enough relevant ones,
//   enough = floor(i / 10 * R + 0.5) of the R relevant documents
//
// As trec_eval's iprec_at_recall, rounding included. 0 where the ranking never holds enough, and
// for a topic without relevant documents.
// relevant_from: the lowest grade that counts as relevant, at least 1 (trec_eval -l).
std::array<double, kRecallLevels> interpolated_precision(const JudgedRanking& ranking,
                                                         int relevant_from = 1);

}  // namespace rr
