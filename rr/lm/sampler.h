#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "rr/base/result.h"
#include "rr/lm/generator.h"

namespace rr {

// ln(sum of exp(logit)), summed in double. NaN where a logit is NaN or +infinity, or all are
// -infinity: there is no distribution then. Requires a non-empty span.
double log_sum_exp(std::span<const float> logits);

// Refuses a temperature below 0, top_p outside (0, 1], min_p outside [0, 1], and what is not
// finite.
Status check_sampling(const Sampling& sampling);

// The place of the chosen logit, as lm/generator.h says. temperature 0: the largest, of equals the
// first. Otherwise, with p = softmax(logits / temperature):
//   top_k   keeps the k most likely, of equals the earlier (0: all)
//   top_p   of these the shortest row of most likely ones whose share of their sum reaches top_p
//   min_p   of these the ones with p >= min_p * the largest p
// and `uniform`, a random number in [0, 1), draws one of the rest in proportion to p.
//
// Never sorts the whole vocabulary: it looks at the ones near the top, and at more only when these
// do not suffice. Requires a non-empty span on which log_sum_exp() is finite.
std::size_t choose(std::span<const float> logits, const Sampling& sampling, double uniform);

}  // namespace rr
