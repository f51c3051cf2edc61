#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/lm/internal/tokenizer_parts.h"
#include "rr/weights/model_files.h"

namespace rr::internal {

// The tokenizer of a Hugging Face folder: tokenizer.json, else vocab.json with merges.txt; begin
// and end tokens also from tokenizer_config.json, generation_config.json and config.json.
Result<TokenizerParts> parts_of_hf_folder(const ModelFiles& files);

// The steps of it.

// Tokens by their ids. Refused: an id that is negative, given twice, or far beyond the number of
// tokens.
Result<std::vector<TokenizerParts::Token>> tokens_by_id(
    std::vector<std::pair<std::string, std::int64_t>> vocabulary, const std::string& where);

// The merges of a merges.txt. A first line that begins with "#version" is none.
std::vector<std::string> read_merges_text(std::string_view text);

// The family that `pre_tokenizer` of a tokenizer.json describes; refused with the known ones where
// it is another.
Result<Pretokenizer> pretokenizer_of_json(const Json& description, const std::string& where);

}  // namespace rr::internal
