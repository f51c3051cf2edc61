#include "rr/lm/internal/hf_tokenizer.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "rr/lm/internal/end_tokens.h"
#include "rr/lm/internal/vocabulary_json.h"

namespace rr::internal {
namespace {

using NumberedTexts = std::vector<std::pair<std::string, std::int64_t>>;

// Ids may have holes (padding, reserved tokens), but none much larger than the vocabulary itself.
constexpr std::size_t kMaxHoles = 4096;

Error malformed(std::string message, const std::string& where) {
  return Error{Errc::kMalformed, std::move(message), where};
}

// A field that may be absent: the value there, or null.
const Json& field(const Json& object, std::string_view key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto it = object.find(key);
  return it == object.end() ? kNull : *it;
}

bool flag(const Json& object, std::string_view key, bool otherwise) {
  const Json& value = field(object, key);
  return value.is_boolean() ? value.get<bool>() : otherwise;
}

std::string text_of(const Json& object, std::string_view key) {
  const Json& value = field(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

// A small file of the folder as JSON; null where there is none.
Result<Json> read_json(const ModelFiles& files, const char* name) {
  RR_TRY(const std::optional<std::string> text, files.read_side_file(name));
  if (!text) return Json();
  return parse_json(*text, (files.path() / name).string());
}

// A token in a configuration: its text, or an object with a `content`.
std::string token_text(const Json& token) {
  return token.is_string() ? token.get<std::string>() : text_of(token, "content");
}

std::optional<TokenId> id_of(std::string_view text, const TokenizerParts& parts) {
  if (text.empty()) return std::nullopt;
  for (std::size_t i = parts.tokens.size(); i-- > 0;) {  // added tokens stand at the end
    if (parts.tokens[i].text == text) return static_cast<TokenId>(i);
  }
  return std::nullopt;
}

// --- pre-tokenizers ---

std::vector<Json> steps_of(const Json& description, const char* list_key) {
  if (description.is_null()) return {};
  if (text_of(description, "type") != "Sequence") return {description};
  const Json& steps = field(description, list_key);
  return steps.is_array() ? std::vector<Json>(steps.begin(), steps.end()) : std::vector<Json>();
}

bool is_byte_level(const Json& step, bool with_pattern) {
  return text_of(step, "type") == "ByteLevel" && !flag(step, "add_prefix_space", true) &&
         flag(step, "use_regex", true) == with_pattern;
}

bool is_single_digits(const Json& step) {
  return text_of(step, "type") == "Digits" && flag(step, "individual_digits", false);
}

std::optional<Pretokenizer> family_of_split(const Json& step) {
  const bool is_plain = text_of(step, "type") == "Split" &&
                        text_of(step, "behavior") == "Isolated" && !flag(step, "invert", false);
  if (!is_plain) return std::nullopt;
  const std::string pattern = text_of(field(step, "pattern"), "Regex");
  for (const auto family : {Pretokenizer::kGpt2, Pretokenizer::kLlama3, Pretokenizer::kQwen2}) {
    if (pattern == pretokenizer_pattern(family)) return family;
  }
  return std::nullopt;
}

// --- tokenizer.json ---

Status check_model(const Json& model, const std::string& where) {
  const std::string type = text_of(model, "type");
  if (!type.empty() && type != "BPE") {
    return malformed(
        fmt::format("expected a byte-level BPE tokenizer, found \"{}\", which is not supported",
                    type),
        where);
  }
  if (flag(model, "byte_fallback", false)) {
    return malformed(
        "expected a byte-level BPE tokenizer, found one with byte fallback (SentencePiece), which "
        "is not supported",
        where);
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (text_of(model, key).empty()) continue;
    return malformed(fmt::format("a BPE model with \"{}\" is not supported", key), where);
  }
  return ok_status();
}

Result<bool> read_nfc(const Json& normalizer, const std::string& where) {
  bool nfc = false;
  for (const Json& step : steps_of(normalizer, "normalizers")) {
    const std::string type = text_of(step, "type");
    if (type != "NFC") {
      return malformed(fmt::format("normalizer \"{}\" is unknown; known are NFC and none", type),
                       where);
    }
    nfc = true;
  }
  return nfc;
}

struct AddedToken {
  std::string text;
  std::int64_t id = -1;
  bool special = false;
};

Result<AddedToken> read_added_token(const Json& entry, const std::string& where) {
  const Json& id = field(entry, "id");
  AddedToken token{text_of(entry, "content"), -1, flag(entry, "special", false)};
  if (!id.is_number_integer() || token.text.empty()) {
    return malformed("expected an added token to have an id and a content", where);
  }
  token.id = id.get<std::int64_t>();
  for (const char* key : {"lstrip", "rstrip", "single_word"}) {
    if (!flag(entry, key, false)) continue;
    return malformed(
        fmt::format("added token \"{}\" with \"{}\" is not supported", token.text, key), where);
  }
  return token;
}

Result<std::vector<AddedToken>> read_added_tokens(const Json& list, const std::string& where) {
  std::vector<AddedToken> tokens;
  if (!list.is_array()) return tokens;
  for (const Json& entry : list) {
    RR_TRY(AddedToken token, read_added_token(entry, where));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

// Places the vocabulary and the added tokens, which may name an id of it again.
Status place_tokens(NumberedTexts vocabulary, const std::vector<AddedToken>& added,
                    TokenizerParts& parts) {
  std::unordered_set<std::int64_t> known;
  for (const auto& [text, id] : vocabulary) known.insert(id);
  for (const AddedToken& token : added) {
    if (known.insert(token.id).second) vocabulary.emplace_back(token.text, token.id);
  }
  RR_TRY(parts.tokens, tokens_by_id(std::move(vocabulary), parts.where));
  for (const AddedToken& token : added) {
    parts.tokens[static_cast<std::size_t>(token.id)] = {
        token.text, token.special ? TokenKind::kSpecial : TokenKind::kAdded};
  }
  return ok_status();
}

// The token that the post-processor puts first (Llama-3), if it does.
std::string first_of_post_processor(const Json& post_processor) {
  for (const Json& step : steps_of(post_processor, "processors")) {
    if (text_of(step, "type") != "TemplateProcessing") continue;
    const Json& single = field(step, "single");
    if (!single.is_array() || single.empty()) continue;
    return text_of(field(single.front(), "SpecialToken"), "id");
  }
  return {};
}

Result<TokenizerParts> parts_of_tokenizer_json(std::string_view text, const std::string& where) {
  RR_TRY(VocabularyJson file, parse_tokenizer_json(text, where));
  const Json& model = field(file.rest, "model");
  RR_TRY_STATUS(check_model(model, where));
  TokenizerParts parts;
  parts.where = where;
  RR_TRY(parts.pretokenizer, pretokenizer_of_json(field(file.rest, "pre_tokenizer"), where));
  RR_TRY(parts.nfc, read_nfc(field(file.rest, "normalizer"), where));
  parts.ignore_merges = flag(model, "ignore_merges", false);
  RR_TRY(const std::vector<AddedToken> added,
         read_added_tokens(field(file.rest, "added_tokens"), where));
  RR_TRY_STATUS(place_tokens(std::move(file.vocabulary), added, parts));
  parts.merges = std::move(file.merges);
  parts.begin_token = id_of(first_of_post_processor(field(file.rest, "post_processor")), parts);
  return parts;
}

// --- vocab.json and merges.txt ---

Result<Pretokenizer> family_of_config(const Json& tokenizer_config, const ModelFiles& files) {
  const std::string tokenizer_class = text_of(tokenizer_config, "tokenizer_class");
  const std::string model_type = text_of(files.metadata(), "model_type");
  if (tokenizer_class.starts_with("Qwen2Tokenizer")) return Pretokenizer::kQwen2;
  if (tokenizer_class.starts_with("GPT2Tokenizer")) return Pretokenizer::kGpt2;
  if (tokenizer_class.empty() && (model_type == "qwen2" || model_type == "qwen3")) {
    return Pretokenizer::kQwen2;
  }
  return malformed(
      fmt::format("expected a tokenizer.json, or a tokenizer_class Qwen2Tokenizer or GPT2Tokenizer "
                  "in tokenizer_config.json to read vocab.json with, found class \"{}\"",
                  tokenizer_class),
      files.path().string());
}

bool looks_like_control(std::string_view text) {
  return text.starts_with("<|") && text.ends_with("|>");
}

// added_tokens_decoder of tokenizer_config.json, else added_tokens.json, which says no more than
// texts and ids.
Result<std::vector<AddedToken>> read_added_of_folder(const ModelFiles& files,
                                                     const Json& tokenizer_config) {
  std::vector<AddedToken> added;
  const std::string where = (files.path() / "tokenizer_config.json").string();
  if (const Json& decoder = field(tokenizer_config, "added_tokens_decoder"); decoder.is_object()) {
    for (const auto& [id, entry] : decoder.items()) {
      Json with_id = entry.is_object() ? entry : Json::object();
      with_id["id"] = Json::parse(id, nullptr, false);
      RR_TRY(AddedToken token, read_added_token(with_id, where));
      added.push_back(std::move(token));
    }
    return added;
  }
  RR_TRY(const Json list, read_json(files, "added_tokens.json"));
  if (!list.is_object()) return added;
  for (const auto& [text, id] : list.items()) {
    if (!id.is_number_integer() || text.empty()) {
      return malformed("expected an object of token texts and ids",
                       (files.path() / "added_tokens.json").string());
    }
    added.push_back({text, id.get<std::int64_t>(), looks_like_control(text)});
  }
  return added;
}

Result<TokenizerParts> parts_of_vocab_and_merges(const ModelFiles& files,
                                                 const Json& tokenizer_config) {
  RR_TRY(const std::optional<std::string> vocab, files.read_side_file("vocab.json"));
  RR_TRY(const std::optional<std::string> merges, files.read_side_file("merges.txt"));
  if (!vocab || !merges) {
    return Error{Errc::kNotFound,
                 "expected a tokenizer.json, or a vocab.json with a merges.txt, found neither",
                 files.path().string()};
  }
  TokenizerParts parts;
  parts.where = (files.path() / "vocab.json").string();
  RR_TRY(parts.pretokenizer, family_of_config(tokenizer_config, files));
  parts.nfc = parts.pretokenizer == Pretokenizer::kQwen2;
  RR_TRY(VocabularyJson file, parse_vocab_json(*vocab, parts.where));
  RR_TRY(const std::vector<AddedToken> added, read_added_of_folder(files, tokenizer_config));
  RR_TRY_STATUS(place_tokens(std::move(file.vocabulary), added, parts));
  parts.merges = read_merges_text(*merges);
  return parts;
}

// --- begin and end tokens ---

// eos_token_id of a configuration: one id or several.
Status add_end_ids(const Json& ids, const std::string& where, TokenizerParts& parts) {
  for (const Json& id : ids.is_array() ? ids : Json::array({ids})) {
    if (!id.is_number_integer()) continue;
    const auto value = id.get<std::int64_t>();
    if (value < 0 || static_cast<std::uint64_t>(value) >= parts.tokens.size()) {
      return malformed(fmt::format("expected eos_token_id to be one of {} token ids, found {}",
                                   parts.tokens.size(), value),
                       where);
    }
    add_end_token(static_cast<TokenId>(value), parts);
  }
  return ok_status();
}

Status add_begin_and_end(const ModelFiles& files, const Json& tokenizer_config,
                         TokenizerParts& parts) {
  if (const auto id = id_of(token_text(field(tokenizer_config, "eos_token")), parts)) {
    add_end_token(*id, parts);
  }
  RR_TRY(const Json generation, read_json(files, "generation_config.json"));
  RR_TRY_STATUS(add_end_ids(field(generation, "eos_token_id"),
                            (files.path() / "generation_config.json").string(), parts));
  RR_TRY_STATUS(add_end_ids(field(files.metadata(), "eos_token_id"),
                            (files.path() / "config.json").string(), parts));
  add_known_end_tokens(parts);
  if (flag(tokenizer_config, "add_bos_token", false)) {
    parts.begin_token = id_of(token_text(field(tokenizer_config, "bos_token")), parts);
  }
  return ok_status();
}

}  // namespace

Result<std::vector<TokenizerParts::Token>> tokens_by_id(NumberedTexts vocabulary,
                                                        const std::string& where) {
  std::vector<TokenizerParts::Token> tokens;
  const std::size_t limit = vocabulary.size() + kMaxHoles;
  for (auto& [text, id] : vocabulary) {
    if (id < 0 || static_cast<std::uint64_t>(id) >= limit) {
      return malformed(fmt::format("expected ids below {} for {} tokens, found {} for \"{}\"",
                                   limit, vocabulary.size(), id, text),
                       where);
    }
    const auto index = static_cast<std::size_t>(id);
    if (index >= tokens.size()) tokens.resize(index + 1);
    if (tokens[index].kind != TokenKind::kUnused) {
      return malformed(fmt::format("expected each id once, found {} for \"{}\" and \"{}\"", id,
                                   tokens[index].text, text),
                       where);
    }
    tokens[index] = {std::move(text), TokenKind::kNormal};
  }
  return tokens;
}

std::vector<std::string> read_merges_text(std::string_view text) {
  std::vector<std::string> merges;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool is_comment = begin == 0 && line.starts_with("#version");
    if (!line.empty() && !is_comment) merges.emplace_back(line);
    begin = end + 1;
  }
  return merges;
}

Result<Pretokenizer> pretokenizer_of_json(const Json& description, const std::string& where) {
  const std::vector<Json> steps = steps_of(description, "pretokenizers");
  if (steps.size() == 1 && is_byte_level(steps[0], true)) return Pretokenizer::kGpt2;
  if (steps.size() == 2 && is_single_digits(steps[0]) && is_byte_level(steps[1], true)) {
    return Pretokenizer::kSmolLm;
  }
  if (steps.size() == 2 && is_byte_level(steps[1], false)) {
    if (const auto family = family_of_split(steps[0])) return *family;
  }
  return malformed(fmt::format("pre-tokenizer {} is unknown; known are {}",
                               to_json_line(description), known_pretokenizers()),
                   where);
}

Result<TokenizerParts> parts_of_hf_folder(const ModelFiles& files) {
  RR_TRY(const Json tokenizer_config, read_json(files, "tokenizer_config.json"));
  RR_TRY(const std::optional<std::string> text, files.read_side_file("tokenizer.json"));
  RR_TRY(TokenizerParts parts,
         text ? parts_of_tokenizer_json(*text, (files.path() / "tokenizer.json").string())
              : parts_of_vocab_and_merges(files, tokenizer_config));
  RR_TRY_STATUS(add_begin_and_end(files, tokenizer_config, parts));
  return parts;
}

}  // namespace rr::internal
