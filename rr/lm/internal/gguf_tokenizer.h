#pragma once

#include <string>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/lm/internal/tokenizer_parts.h"

namespace rr::internal {

// A tokenizer as the keys tokenizer.ggml.* of a GGUF file describe it (GGUF specification,
// "Tokenizer"; docs/gguf.md of the ggml project).
Result<TokenizerParts> parts_of_gguf(const Json& metadata, const std::string& where);

}  // namespace rr::internal
