#pragma once

#include <llama.h>

#include <memory>

#include "rr/lm/tokenizer.h"

namespace rr::internal {

// The tokenizer of a model's file as llama.cpp reads it, for those that Tokenizer::load() refuses.
// The model must outlive it. What Tokenizer promises holds: text is repaired first, a text encoded
// piece by piece decodes to the same text (the space that SentencePiece would put in front of one
// is not written), and control tokens in ordinary text stay text.
//
// Requires a model with a vocabulary.
std::unique_ptr<Tokenizer> make_llama_tokenizer(const llama_model& model);

}  // namespace rr::internal
