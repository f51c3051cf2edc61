#pragma once

#include "rr/measures/judged_ranking.h"

namespace rr {

// Measures of a ranking as a set: where its documents stand does not matter. In [0, 1], as in
// trec_eval. For all of them, with r relevant documents retrieved, n retrieved and R relevant ones
// in the qrels: 0 where r is 0. relevant_from: the lowest relevant grade, at least 1.

// SetP = r / n.
double set_precision(const JudgedRanking& ranking, int relevant_from = 1);

// SetRelP = r / min(n, R): precision as a fraction of the best possible one.
double set_relative_precision(const JudgedRanking& ranking, int relevant_from = 1);

// SetR = r / R.
double set_recall(const JudgedRanking& ranking, int relevant_from = 1);

// SetF = (beta + 1) * SetP * SetR / (SetR + beta * SetP). As in trec_eval's set_F, `beta` is not
// squared; 1 gives the harmonic mean of both. Requires beta >= 0.
double set_f(const JudgedRanking& ranking, double beta = 1, int relevant_from = 1);

// SetAP = SetP * SetR (trec_eval's set_map).
double set_average_precision(const JudgedRanking& ranking, int relevant_from = 1);

}  // namespace rr
