#pragma once

#include <llama.h>

#include <string>

#include "rr/base/result.h"
#include "rr/lm/chat_template.h"
#include "rr/lm/tokenizer.h"

namespace rr::internal {

// How a model wants a conversation written. Ours where we know the name, or the template in the
// file; else llama.cpp's, of the same name or for the same template ("gemma", "phi3", ...).
//
// name: empty, as the file says. `where` is for messages. The tokenizer must outlive the result.
Result<ChatTemplate> find_chat_template(const llama_model& model, const std::string& name,
                                        const Tokenizer& tokenizer, const std::string& where);

}  // namespace rr::internal
