#pragma once

#include <cstddef>

#include "rr/measures/cutoff.h"
#include "rr/measures/judged_ranking.h"

namespace rr {

// The highest grade of the scale that ERR knows, gdeval's.
inline constexpr int kHighestErrGrade = 4;

// Expected reciprocal rank at rank k, in [0, 1): the reader stops at a document with a chance that
// grows with its grade.
//
//   ERR@k = sum_{i=1..k} 1/i * S_i * prod_{j<i} (1 - S_j),   S_i = (2^grade_i - 1) / 2^4
//
// Chapelle, Metzler, Zhang and Grinspan, CIKM 2009, with the scale of the web tracks' gdeval:
// grades 0 to 4, whatever grades the topic has. An unjudged document and one with a negative grade
// count as grade 0, a grade above 4 as 4. Requires k >= 1.
double expected_reciprocal_rank_at(std::size_t k, const JudgedRanking& ranking);

}  // namespace rr
