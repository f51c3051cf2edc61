#include "rr/lm/internal/bpe_tokenizer.h"

#include <fmt/core.h>

#include <array>
#include <atomic>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/utf8.h"
#include "rr/lm/internal/added_tokens.h"
#include "rr/lm/internal/byte_alphabet.h"
#include "rr/lm/internal/merge_table.h"
#include "rr/lm/internal/nfc.h"
#include "rr/lm/internal/vocabulary.h"

namespace rr::internal {
namespace {

// Whether a token's own bytes encode to that token alone. Almost all do, and then a word need not
// be merged; known only after it was tried once.
enum class SelfEncoding : std::uint8_t { kUnknown, kYes, kNo };

class BpeTokenizer final : public Tokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> make(const TokenizerParts& parts);

  TokenIds encode(std::string_view text) const override;
  TokenIds encode(std::string_view text, std::span<const TextRange> control) const override;
  TokenIds encode_with_special(std::string_view text) const override;

  std::string_view token_bytes(TokenId id) const override { return vocabulary_.bytes_of(id); }
  bool is_special(TokenId id) const override;
  std::optional<TokenId> find_token(std::string_view text) const override;
  std::size_t vocabulary_size() const override { return vocabulary_.size(); }
  std::span<const TokenId> end_tokens() const override { return end_tokens_; }
  std::optional<TokenId> begin_token() const override { return begin_token_; }
  std::string_view pretokenizer_name() const override {
    return internal::pretokenizer_name(pretokenizer_);
  }

 private:
  BpeTokenizer() = default;

  Status add_tokens(const TokenizerParts& parts);
  Status add_merges(const TokenizerParts& parts);
  Status check_ids(const TokenizerParts& parts) const;

  // `text` with the tokens of `added` recognised.
  void append_text(std::string_view text, const AddedTokens& added, TokenIds& ids) const;
  void append_plain(std::string_view text, TokenIds& ids) const;
  void append_words(std::string_view text, TokenIds& ids) const;
  void append_word(std::string_view word, TokenIds& scratch, TokenIds& ids) const;
  void merge_word(std::string_view word, TokenIds& tokens) const;

  Vocabulary vocabulary_;
  MergeTable merges_;
  std::array<TokenId, 256> byte_tokens_{};
  AddedTokens always_;        // recognised in every text
  AddedTokens with_special_;  // these and the special ones
  std::vector<bool> is_special_;
  std::unique_ptr<std::atomic<SelfEncoding>[]> self_encoding_;  // by id
  Pretokenizer pretokenizer_ = Pretokenizer::kGpt2;
  bool nfc_ = false;
  bool ignore_merges_ = false;
  std::optional<TokenId> begin_token_;
  std::vector<TokenId> end_tokens_;
};

Result<std::unique_ptr<Tokenizer>> BpeTokenizer::make(const TokenizerParts& parts) {
  std::unique_ptr<BpeTokenizer> tokenizer(new BpeTokenizer());
  RR_TRY_STATUS(tokenizer->add_tokens(parts));
  RR_TRY_STATUS(tokenizer->add_merges(parts));
  RR_TRY_STATUS(tokenizer->check_ids(parts));
  tokenizer->pretokenizer_ = parts.pretokenizer;
  tokenizer->nfc_ = parts.nfc;
  tokenizer->ignore_merges_ = parts.ignore_merges;
  tokenizer->begin_token_ = parts.begin_token;
  tokenizer->end_tokens_ = parts.end_tokens;
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

Status BpeTokenizer::add_tokens(const TokenizerParts& parts) {
  if (parts.tokens.empty()) {
    return Error{Errc::kMalformed, "expected a vocabulary, found no tokens", parts.where};
  }
  std::size_t num_bytes = 0;
  for (const auto& token : parts.tokens) num_bytes += token.text.size();
  vocabulary_.reserve(parts.tokens.size(), num_bytes);
  std::vector<AddedTokens::Token> always;
  std::vector<AddedTokens::Token> with_special;
  std::string bytes;
  for (std::size_t i = 0; i < parts.tokens.size(); ++i) {
    const auto& [text, kind] = parts.tokens[i];
    const auto id = static_cast<TokenId>(i);
    bytes.clear();
    const bool in_alphabet = kind == TokenKind::kNormal && append_bytes_of_alphabet(text, bytes);
    if (!in_alphabet) bytes = text;
    vocabulary_.append(bytes, in_alphabet);
    is_special_.push_back(kind == TokenKind::kSpecial);
    if (text.empty()) continue;
    if (kind == TokenKind::kAdded) always.push_back({text, id});
    if (kind == TokenKind::kAdded || kind == TokenKind::kSpecial)
      with_special.push_back({text, id});
  }
  always_ = AddedTokens(std::move(always));
  with_special_ = AddedTokens(std::move(with_special));
  self_encoding_ = std::make_unique<std::atomic<SelfEncoding>[]>(parts.tokens.size());
  for (std::size_t byte = 0; byte < byte_tokens_.size(); ++byte) {
    const char c = static_cast<char>(byte);
    byte_tokens_[byte] = vocabulary_.find(std::string_view(&c, 1));
  }
  return ok_status();
}

Status BpeTokenizer::add_merges(const TokenizerParts& parts) {
  merges_.reserve(parts.merges.size());
  std::string bytes;
  for (std::size_t i = 0; i < parts.merges.size(); ++i) {
    const std::string_view merge = parts.merges[i];
    const auto fail = [&](std::string_view what) {
      return Error{Errc::kMalformed, fmt::format("merge {} \"{}\" {}", i + 1, merge, what),
                   parts.where};
    };
    const std::size_t blank = merge.find(' ');
    bytes.clear();
    if (blank == std::string_view::npos || !append_bytes_of_alphabet(merge.substr(0, blank), bytes))
      return fail("is not two tokens in the byte alphabet of GPT-2");
    const std::size_t left_size = bytes.size();
    if (!append_bytes_of_alphabet(merge.substr(blank + 1), bytes))
      return fail("is not two tokens in the byte alphabet of GPT-2");
    const std::string_view both = bytes;
    const TokenId left = vocabulary_.find(both.substr(0, left_size));
    const TokenId right = vocabulary_.find(both.substr(left_size));
    const TokenId merged = vocabulary_.find(both);
    if (left == kNoToken || right == kNoToken || merged == kNoToken)
      return fail("names or makes a token that the vocabulary lacks");
    merges_.append(left, right, merged);
  }
  return ok_status();
}

Status BpeTokenizer::check_ids(const TokenizerParts& parts) const {
  const auto is_inside = [this](TokenId id) {
    return id >= 0 && static_cast<std::size_t>(id) < vocabulary_.size();
  };
  bool all_inside = !parts.begin_token || is_inside(*parts.begin_token);
  for (const TokenId id : parts.end_tokens) all_inside = all_inside && is_inside(id);
  if (all_inside) return ok_status();
  return Error{Errc::kMalformed,
               fmt::format("expected the begin and end tokens among the {} of the vocabulary",
                           vocabulary_.size()),
               parts.where};
}

bool BpeTokenizer::is_special(TokenId id) const {
  RR_CHECK(id >= 0 && static_cast<std::size_t>(id) < is_special_.size(),
           "a token id of the vocabulary");
  return is_special_[static_cast<std::size_t>(id)];
}

std::optional<TokenId> BpeTokenizer::find_token(std::string_view text) const {
  if (const auto added = with_special_.find_exact(text)) return added;
  const TokenId id = vocabulary_.find(text);
  if (id == kNoToken) return std::nullopt;
  return id;
}

TokenIds BpeTokenizer::encode(std::string_view text) const {
  TokenIds ids;
  append_text(text, always_, ids);
  return ids;
}

TokenIds BpeTokenizer::encode(std::string_view text, std::span<const TextRange> control) const {
  TokenIds ids;
  std::size_t done = 0;
  for (const TextRange& range : control) {
    RR_CHECK(range.begin >= done && range.begin <= range.end && range.end <= text.size(),
             "control ranges in order, apart and inside the text");
    const auto id = with_special_.find_exact(text.substr(range.begin, range.end - range.begin));
    if (!id) continue;
    append_text(text.substr(done, range.begin - done), always_, ids);
    ids.push_back(*id);
    done = range.end;
  }
  append_text(text.substr(done), always_, ids);
  return ids;
}

TokenIds BpeTokenizer::encode_with_special(std::string_view text) const {
  TokenIds ids;
  append_text(text, with_special_, ids);
  return ids;
}

void BpeTokenizer::append_text(std::string_view text, const AddedTokens& added,
                               TokenIds& ids) const {
  std::size_t done = 0;
  while (const auto match = added.find_next(text, done)) {
    append_plain(text.substr(done, match->begin - done), ids);
    ids.push_back(match->id);
    done = match->end;
  }
  append_plain(text.substr(done), ids);
}

void BpeTokenizer::append_plain(std::string_view text, TokenIds& ids) const {
  std::string repaired;
  if (!is_valid_utf8(text)) {
    repaired = repair_utf8(text).text;
    text = repaired;
  }
  std::string normal;
  if (nfc_ && !is_surely_nfc(text)) {
    normal = to_nfc(text);
    text = normal;
  }
  append_words(text, ids);
}

void BpeTokenizer::append_words(std::string_view text, TokenIds& ids) const {
  TokenIds scratch;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = word_end(pretokenizer_, text, begin);
    append_word(text.substr(begin, end - begin), scratch, ids);
    begin = end;
  }
}

void BpeTokenizer::append_word(std::string_view word, TokenIds& scratch, TokenIds& ids) const {
  const TokenId whole = vocabulary_.find(word);
  std::atomic<SelfEncoding>* known = nullptr;
  if (whole != kNoToken) {
    known = &self_encoding_[static_cast<std::size_t>(whole)];
    if (ignore_merges_ || known->load(std::memory_order_relaxed) == SelfEncoding::kYes) {
      ids.push_back(whole);
      return;
    }
  }
  merge_word(word, scratch);
  ids.insert(ids.end(), scratch.begin(), scratch.end());
  if (known == nullptr) return;
  const bool is_itself = scratch.size() == 1 && scratch.front() == whole;
  // Whoever comes here finds the same: that several threads may write it is no race.
  known->store(is_itself ? SelfEncoding::kYes : SelfEncoding::kNo, std::memory_order_relaxed);
}

void BpeTokenizer::merge_word(std::string_view word, TokenIds& tokens) const {
  tokens.clear();
  for (const char c : word) {
    const TokenId id = byte_tokens_[static_cast<unsigned char>(c)];
    if (id != kNoToken) tokens.push_back(id);
  }
  merges_.apply(tokens);
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> make_bpe_tokenizer(const TokenizerParts& parts) {
  return BpeTokenizer::make(parts);
}

}  // namespace rr::internal
