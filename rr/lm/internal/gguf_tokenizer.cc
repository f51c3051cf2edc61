#include "rr/lm/internal/gguf_tokenizer.h"

#include <fmt/core.h>

#include "rr/lm/internal/end_tokens.h"

namespace rr::internal {
namespace {

constexpr const char* kTokens = "tokenizer.ggml.tokens";
constexpr const char* kTypes = "tokenizer.ggml.token_type";
constexpr const char* kMerges = "tokenizer.ggml.merges";

// The values of tokenizer.ggml.token_type.
enum GgufTokenType { kGgufNormal = 1, kGgufUnknown = 2, kGgufControl = 3, kGgufUserDefined = 4 };

TokenKind kind_of(std::int64_t type) {
  switch (type) {
    case kGgufNormal:
      return TokenKind::kNormal;
    case kGgufUnknown:
    case kGgufControl:
      return TokenKind::kSpecial;
    case kGgufUserDefined:
      return TokenKind::kAdded;
    default:
      return TokenKind::kUnused;
  }
}

Result<const Json*> array_at(const Json& metadata, const char* key, const std::string& where) {
  const auto it = metadata.find(key);
  if (it != metadata.end() && it->is_array()) return &*it;
  return Error{Errc::kMalformed, fmt::format("expected an array {}, found none", key), where};
}

Status check_kind_of_tokenizer(const Json& metadata, const std::string& where) {
  RR_TRY(const std::string model, json_string(metadata, "tokenizer.ggml.model", where));
  if (model == "gpt2") return ok_status();
  return Error{Errc::kMalformed,
               fmt::format("expected a byte-level BPE tokenizer (\"gpt2\"), found \"{}\"; --engine "
                           "llama.cpp reads others",
                           model),
               where};
}

Result<Pretokenizer> read_pretokenizer(const Json& metadata, const std::string& where) {
  RR_TRY(const std::string name, json_string(metadata, "tokenizer.ggml.pre", where));
  if (const auto known = pretokenizer_of_gguf(name)) return *known;
  return Error{
      Errc::kMalformed,
      fmt::format("pre-tokenizer \"{}\" is unknown; known are {}", name, known_pretokenizers()),
      where};
}

Result<std::vector<TokenizerParts::Token>> read_tokens(const Json& metadata,
                                                       const std::string& where) {
  RR_TRY(const Json* texts, array_at(metadata, kTokens, where));
  RR_TRY(const Json* types, array_at(metadata, kTypes, where));
  if (types->size() != texts->size()) {
    return Error{Errc::kMalformed,
                 fmt::format("expected as many token types as tokens, found {} and {}",
                             types->size(), texts->size()),
                 where};
  }
  std::vector<TokenizerParts::Token> tokens;
  tokens.reserve(texts->size());
  for (std::size_t i = 0; i < texts->size(); ++i) {
    const Json& text = (*texts)[i];
    const Json& type = (*types)[i];
    if (!text.is_string() || !type.is_number_integer()) {
      return Error{Errc::kMalformed,
                   fmt::format("expected token {} to be a text with a type, found {} and {}", i,
                               text.type_name(), type.type_name()),
                   where};
    }
    tokens.push_back({text.get_ref<const std::string&>(), kind_of(type.get<std::int64_t>())});
  }
  return tokens;
}

Result<std::vector<std::string>> read_merges(const Json& metadata, const std::string& where) {
  RR_TRY(const Json* array, array_at(metadata, kMerges, where));
  std::vector<std::string> merges;
  merges.reserve(array->size());
  for (const Json& merge : *array) {
    if (!merge.is_string()) {
      return Error{Errc::kMalformed,
                   fmt::format("expected merge {} to be a text, found {}", merges.size() + 1,
                               merge.type_name()),
                   where};
    }
    merges.push_back(merge.get_ref<const std::string&>());
  }
  return merges;
}

Result<std::optional<TokenId>> read_id(const Json& metadata, const char* key,
                                       std::size_t vocabulary_size, const std::string& where) {
  const auto it = metadata.find(key);
  if (it == metadata.end()) return std::optional<TokenId>();
  const bool is_inside = it->is_number_integer() && it->get<std::int64_t>() >= 0 &&
                         it->get<std::uint64_t>() < vocabulary_size;
  if (is_inside) return std::optional(it->get<TokenId>());
  return Error{Errc::kMalformed,
               fmt::format("expected {} to be one of {} token ids, found {}", key, vocabulary_size,
                           it->dump()),
               where};
}

Status read_begin_and_end(const Json& metadata, TokenizerParts& parts) {
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                          "tokenizer.ggml.eom_token_id"}) {
    RR_TRY(const std::optional<TokenId> id,
           read_id(metadata, key, parts.tokens.size(), parts.where));
    if (id) add_end_token(*id, parts);
  }
  add_known_end_tokens(parts);
  RR_TRY(const std::optional<TokenId> begin,
         read_id(metadata, "tokenizer.ggml.bos_token_id", parts.tokens.size(), parts.where));
  // Where the file is silent: Llama-3's tokenizer puts it, the others do not, as in llama.cpp.
  const auto wanted = metadata.find("tokenizer.ggml.add_bos_token");
  const bool wants_begin = wanted != metadata.end() && wanted->is_boolean()
                               ? wanted->get<bool>()
                               : parts.pretokenizer == Pretokenizer::kLlama3;
  if (wants_begin) parts.begin_token = begin;
  return ok_status();
}

}  // namespace

Result<TokenizerParts> parts_of_gguf(const Json& metadata, const std::string& where) {
  TokenizerParts parts;
  parts.where = where;
  RR_TRY_STATUS(check_kind_of_tokenizer(metadata, where));
  RR_TRY(parts.pretokenizer, read_pretokenizer(metadata, where));
  RR_TRY(parts.tokens, read_tokens(metadata, where));
  RR_TRY(parts.merges, read_merges(metadata, where));
  RR_TRY_STATUS(read_begin_and_end(metadata, parts));
  // GGUF says neither of the two; they are the families' own, as their tokenizer.json states them.
  parts.nfc = parts.pretokenizer == Pretokenizer::kQwen2;
  parts.ignore_merges = parts.pretokenizer == Pretokenizer::kLlama3;
  return parts;
}

}  // namespace rr::internal
