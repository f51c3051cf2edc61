#pragma once

#include <cstddef>
#include <span>

#include "rr/ir/ids.h"
#include "rr/measures/cutoff.h"

namespace rr {

// How alike two rankings are, with more weight on their heads. In [0, 1]: 1 for equal rankings, 0
// for disjoint ones. For all functions here:
//
// a, b: best first, no docid twice; their lengths may differ.
// A_d = |first d of a  ∩  first d of b| / d is the agreement at depth d.
// depth = min(k, length of a, length of b). Two empty rankings give 1; an empty one and another 0.
// persistence p in (0, 1): the chance that a reader goes on to the next rank.
// Requires k >= 1.

//   AO@k = 1/depth * sum_{d=1..depth} A_d
//
// Average overlap (Fagin, Kumar and Sivakumar, SIAM J. Discrete Math. 17(1), 2003): what the Python
// package rbo gives for p = 1.
double average_overlap_at(std::size_t k, std::span<const Docid> a, std::span<const Docid> b);

//   RBO@k = (1 - p) * sum_{d=1..depth} p^(d-1) * A_d
//
// Rank-biased overlap as far as it was seen (Webber, Moffat and Zobel, TOIS 28(4), 2010, eq. 4): a
// lower bound, below 1 even for equal rankings (1 - p^depth).
double rbo_at(std::size_t k, double persistence, std::span<const Docid> a,
              std::span<const Docid> b);

// rbo_at divided by 1 - p^depth, its greatest possible value: equal rankings give 1.
double normalized_rbo_at(std::size_t k, double persistence, std::span<const Docid> a,
                         std::span<const Docid> b);

// Rank-biased overlap, extrapolated (eq. 32 of the same paper) from the first k of a and of b: the
// agreement that was seen last is taken to go on for ever, and the longer ranking is used to its
// end. A point estimate: equal rankings give 1.
double extrapolated_rbo_at(std::size_t k, double persistence, std::span<const Docid> a,
                           std::span<const Docid> b);

// How far the value may lie from what was seen, from the first k of a and of b, with the longer
// ranking used to its end (eq. 11 and 30 of the same paper): the full rankings, were they known,
// would give at least minimal_rbo_at and at most that plus residual_rbo_at.
//   minimal   nothing unseen is shared
//   residual  what is added where everything unseen is shared as early as it can be
double minimal_rbo_at(std::size_t k, double persistence, std::span<const Docid> a,
                      std::span<const Docid> b);
double residual_rbo_at(std::size_t k, double persistence, std::span<const Docid> a,
                       std::span<const Docid> b);

}  // namespace rr
