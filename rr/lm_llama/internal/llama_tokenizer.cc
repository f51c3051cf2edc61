#include "rr/lm_llama/internal/llama_tokenizer.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "rr/base/check.h"
#include "rr/base/utf8.h"
#include "rr/lm_llama/internal/special_tokens.h"

namespace rr::internal {
namespace {

const char* kind_name(enum llama_vocab_type type) {
  switch (type) {
    case LLAMA_VOCAB_TYPE_SPM:
      return "sentencepiece";
    case LLAMA_VOCAB_TYPE_BPE:
      return "bpe";
    case LLAMA_VOCAB_TYPE_WPM:
      return "wordpiece";
    case LLAMA_VOCAB_TYPE_UGM:
      return "unigram";
    case LLAMA_VOCAB_TYPE_RWKV:
      return "rwkv";
    default:
      return "other";
  }
}

std::string piece_of(const llama_vocab* vocabulary, TokenId id) {
  std::string piece(32, '\0');
  for (;;) {
    const int32_t size = llama_token_to_piece(vocabulary, id, piece.data(),
                                              static_cast<int32_t>(piece.size()), 0, true);
    if (size >= 0) {
      piece.resize(static_cast<std::size_t>(size));
      return piece;
    }
    piece.resize(static_cast<std::size_t>(-size));
  }
}

class LlamaTokenizer : public Tokenizer {
 public:
  explicit LlamaTokenizer(const llama_model& model) : vocabulary_(llama_model_get_vocab(&model)) {
    const auto size = static_cast<TokenId>(llama_vocab_n_tokens(vocabulary_));
    for (TokenId id = 0; id < size; ++id) {
      pieces_.push_back(piece_of(vocabulary_, id));
      if (llama_vocab_is_eog(vocabulary_, id)) end_tokens_.push_back(id);
    }
    // Of tokens with the same bytes find_token() knows the one that an encoding gives: no byte
    // token where another will do.
    for (TokenId id = 0; id < size; ++id) {
      const auto [entry, is_new] = by_piece_.emplace(pieces_[static_cast<std::size_t>(id)], id);
      if (!is_new && (attributes(entry->second) & LLAMA_TOKEN_ATTR_BYTE) != 0) entry->second = id;
    }
    guard_ = tokenize(kGuard);
    const TokenIds probe = tokenize("a");
    adds_space_ = !probe.empty() && token_bytes(probe.front()).starts_with(' ');
    special_.emplace(*this);
  }

  TokenIds encode(std::string_view text) const override {
    const std::string repaired = repair_utf8(text).text;
    if (!adds_space_ || repaired.empty()) return tokenize(repaired);
    TokenIds ids = tokenize(std::string(kGuard) + repaired);
    const bool is_guarded =
        ids.size() >= guard_.size() && std::equal(guard_.begin(), guard_.end(), ids.begin());
    if (!is_guarded) return tokenize(repaired);
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(guard_.size()));
    return ids;
  }

  // Each range that is a special token stands for itself; what lies between them is text.
  TokenIds encode(std::string_view text, std::span<const TextRange> control) const override {
    TokenIds ids;
    std::size_t done = 0;
    const auto add_text = [&](std::size_t until) {
      const TokenIds more = encode(text.substr(done, until - done));
      ids.insert(ids.end(), more.begin(), more.end());
    };
    for (const TextRange& range : control) {
      const auto id = find_token(text.substr(range.begin, range.end - range.begin));
      if (!id || !is_special(*id)) continue;
      add_text(range.begin);
      ids.push_back(*id);
      done = range.end;
    }
    add_text(text.size());
    return ids;
  }

  TokenIds encode_with_special(std::string_view text) const override {
    return encode(text, special_->find(text));
  }

  std::string_view token_bytes(TokenId id) const override {
    return pieces_[static_cast<std::size_t>(id)];
  }

  bool is_special(TokenId id) const override {
    return (attributes(id) & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN)) != 0;
  }

  std::optional<TokenId> find_token(std::string_view text) const override {
    const auto it = by_piece_.find(text);
    return it == by_piece_.end() ? std::nullopt : std::optional(it->second);
  }

  std::size_t vocabulary_size() const override { return pieces_.size(); }
  std::span<const TokenId> end_tokens() const override { return end_tokens_; }

  std::optional<TokenId> begin_token() const override {
    const TokenId begin = llama_vocab_bos(vocabulary_);
    if (!llama_vocab_get_add_bos(vocabulary_) || begin == LLAMA_TOKEN_NULL) return std::nullopt;
    return begin;
  }

  std::string_view pretokenizer_name() const override {
    return kind_name(llama_vocab_type(vocabulary_));
  }

 private:
  // A text that no text behind it changes the tokens of: behind it, SentencePiece adds no space.
  static constexpr std::string_view kGuard = "\n";

  int attributes(TokenId id) const { return llama_vocab_get_attr(vocabulary_, id); }

  TokenIds tokenize(std::string_view text) const {
    // llama.cpp counts in int32: more text than that is no prompt.
    RR_CHECK(text.size() < (std::size_t{1} << 30), "a text of less than a GiB");
    TokenIds ids(text.size() + 2);
    const auto size = static_cast<int32_t>(text.size());
    int32_t count = llama_tokenize(vocabulary_, text.data(), size, ids.data(),
                                   static_cast<int32_t>(ids.size()), false, false);
    if (count < 0) {
      ids.resize(static_cast<std::size_t>(-count));
      count = llama_tokenize(vocabulary_, text.data(), size, ids.data(),
                             static_cast<int32_t>(ids.size()), false, false);
    }
    RR_CHECK(count >= 0, "the room that it asked for");
    ids.resize(static_cast<std::size_t>(count));
    return ids;
  }

  const llama_vocab* vocabulary_;
  std::vector<std::string> pieces_;  // never changes: by_piece_ points into it
  std::unordered_map<std::string_view, TokenId> by_piece_;
  TokenIds end_tokens_;
  TokenIds guard_;
  bool adds_space_ = false;
  std::optional<SpecialTokens> special_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_llama_tokenizer(const llama_model& model) {
  return std::make_unique<LlamaTokenizer>(model);
}

}  // namespace rr::internal
