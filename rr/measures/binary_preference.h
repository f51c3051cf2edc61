#pragma once

#include "rr/measures/judged_ranking.h"

namespace rr {

// Bpref, in [0, 1]: how rarely documents judged not relevant stand above relevant ones. Unjudged
// documents do not matter, so it bears incomplete judgements.
//
//   1/R * sum over relevant documents retrieved of 1 - min(n, R) / min(N, R)
//
// R relevant and N non-relevant judgements of the topic, n non-relevant ones ranked above the
// document; a term is 1 where n is 0. Buckley and Voorhees, SIGIR 2004, as in trec_eval since 8.0.
// Grades below 0 mean "in the pool and not judged" and count as unjudged. A topic without relevant
// documents scores 0. relevant_from: the lowest relevant grade, at least 1.
double binary_preference(const JudgedRanking& ranking, int relevant_from = 1);

}  // namespace rr
