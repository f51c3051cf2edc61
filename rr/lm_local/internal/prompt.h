#pragma once

#include <span>

#include "rr/base/result.h"
#include "rr/lm/generator.h"
#include "rr/lm_local/local_model.h"

namespace rr::internal {

// The ids that a request's prompt comes to: messages through the model's template, ids as they are.
// Refuses messages where there is no template, ids outside the vocabulary, and an empty prompt.
Result<TokenIds> prompt_ids(const LocalModel& model, const GenerationRequest& request);

// Refuses ids outside the vocabulary.
Status check_ids(const Tokenizer& tokenizer, std::span<const TokenId> ids);

}  // namespace rr::internal
