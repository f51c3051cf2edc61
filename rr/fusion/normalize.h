#pragma once

#include <vector>

#include "rr/ir/ranking.h"

namespace rr {

// How the scores of a ranking are brought onto a scale that another system's can be added to. With
// the scores s of one topic:
enum class Normalization {
  kNone,    // s
  kMinMax,  // (s - min) / (max - min), in [0, 1]: Lee, SIGIR 1997
  kZmuv  // (s - mean) / standard deviation (of all, n): zero mean and unit variance, Montague and
         // Aslam, CIKM 2001
};

// The ranking's scores on that scale, in its order. Equal scores, and a single one, have no scale:
// min-max makes them 1, zmuv 0. Scores may be any finite numbers.
std::vector<double> normalized_scores(const Ranking& ranking, Normalization normalization);

}  // namespace rr
