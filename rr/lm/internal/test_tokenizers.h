#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/lm/internal/bpe_tokenizer.h"
#include "rr/lm/internal/hf_tokenizer.h"
#include "rr/lm/internal/vocabulary_json.h"
#include "rr/weights/model_files.h"
#include "tests/shared_data.h"

// Real tokenizers for tests, each loaded once. Their files are no part of the repository: see
// tests/shared_data.h.

namespace rr::internal {

// From the default model's GGUF file.
inline std::shared_ptr<const Tokenizer> smollm_tokenizer() {
  static const std::shared_ptr<const Tokenizer> tokenizer = [] {
    const auto files = ModelFiles::open(default_model_file());
    return std::shared_ptr<const Tokenizer>(Tokenizer::load(*files.value()).value());
  }();
  return tokenizer;
}

// From the vocab.json and merges.txt of Qwen2.5. Its added_tokens.json was put together for the
// vectors and groups the tokens by model.
inline TokenizerParts qwen_parts() {
  const auto text_of = [](const std::string& name) {
    return read_file(shared_data("tokenizer-qwen2.5/" + name)).value();
  };
  const Json added = parse_json(text_of("added_tokens.json"), "added_tokens.json").value();
  VocabularyJson vocab = parse_vocab_json(text_of("vocab.json"), "vocab.json").value();
  const auto first_added = static_cast<TokenId>(vocab.vocabulary.size());
  for (const char* group : {"qwen2.5", "qwen3_extra"}) {
    for (const auto& [token, id] : added[group].items()) {
      vocab.vocabulary.emplace_back(token, id.get<std::int64_t>());
    }
  }
  TokenizerParts parts;
  parts.tokens = tokens_by_id(std::move(vocab.vocabulary), "vocab.json").value();
  const auto first_plain = added["special_flag_false_from_id"].get<std::size_t>();
  for (auto id = static_cast<std::size_t>(first_added); id < parts.tokens.size(); ++id) {
    parts.tokens[id].kind = id < first_plain ? TokenKind::kSpecial : TokenKind::kAdded;
  }
  parts.merges = read_merges_text(text_of("merges.txt"));
  parts.pretokenizer = Pretokenizer::kQwen2;
  parts.nfc = true;
  parts.end_tokens = {151645, 151643};
  parts.where = "tokenizer-qwen2.5";
  return parts;
}

inline std::shared_ptr<const Tokenizer> qwen_tokenizer() {
  static const std::shared_ptr<const Tokenizer> tokenizer =
      std::shared_ptr<const Tokenizer>(make_bpe_tokenizer(qwen_parts()).value());
  return tokenizer;
}

}  // namespace rr::internal
