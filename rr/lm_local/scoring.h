#pragma once

#include <span>
#include <vector>

#include "rr/base/result.h"
#include "rr/lm_local/local_model.h"

namespace rr {

// log p(ids[i + 1] | ids[0..i]) under the model at temperature 1, natural logarithm, for every i:
// one value less than there are ids, none for fewer than two. Reads in chunks, so that the scores
// of the whole vocabulary are in memory for some positions only.
//
// Refused: an id outside the vocabulary; more ids than the context has room for.
Result<std::vector<float>> score_tokens(LocalModel& model, std::span<const TokenId> ids);

}  // namespace rr
