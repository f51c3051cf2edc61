#pragma once

#include <memory>

#include "rr/base/result.h"
#include "rr/lm/internal/tokenizer_parts.h"
#include "rr/lm/tokenizer.h"

namespace rr::internal {

// Builds a tokenizer from its parts. Refused: an empty vocabulary, ids outside of it, a merge of or
// into a token that the vocabulary lacks.
Result<std::unique_ptr<Tokenizer>> make_bpe_tokenizer(const TokenizerParts& parts);

}  // namespace rr::internal
