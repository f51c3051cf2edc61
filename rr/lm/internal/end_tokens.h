#pragma once

#include "rr/lm/internal/tokenizer_parts.h"

namespace rr::internal {

// Adds an end token, once. One that stands in texts as it is becomes a special token, whatever kind
// the files give it; one that merges make stays ordinary text. Requires an id inside the
// vocabulary.
void add_end_token(TokenId id, TokenizerParts& parts);

// Adds those of the families' end tokens that the vocabulary has, as special tokens. Files often
// name but one of them, and a chat model may write another.
void add_known_end_tokens(TokenizerParts& parts);

}  // namespace rr::internal
