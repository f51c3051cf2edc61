#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/result.h"

namespace rr::internal {

// A tokenizer's JSON file with its two large parts taken out. Those have a hundred thousand
// entries and more, and an ordered Json object looks for each key among all before it.
struct VocabularyJson {
  std::vector<std::pair<std::string, std::int64_t>> vocabulary;  // text and id, as they stand
  std::vector<std::string> merges;  // "left right", also where the file has pairs
  Json rest;                        // all else; `vocab` and `merges` are absent from it
};

// tokenizer.json: an object with `model.vocab` and `model.merges`.
Result<VocabularyJson> parse_tokenizer_json(std::string_view text, const std::string& where);

// vocab.json: one object of texts and ids.
Result<VocabularyJson> parse_vocab_json(std::string_view text, const std::string& where);

}  // namespace rr::internal
