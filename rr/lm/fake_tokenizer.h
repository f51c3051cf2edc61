#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rr/base/check.h"
#include "rr/lm/tokenizer.h"

// For tests of what writes text: a vocabulary of any words, and scores that are a function of the
// tokens read so far.

namespace rr {

// All 256 bytes, then `words`, then the special tokens; encodes by the longest word that fits.
class FakeTokenizer : public Tokenizer {
 public:
  explicit FakeTokenizer(std::vector<std::string> words) {
    for (int byte = 0; byte < 256; ++byte) add(std::string(1, static_cast<char>(byte)));
    for (std::string& word : words) add(std::move(word));
    first_special_ = tokens_.size();
    add("<|end|>");
    add("<|mark|>");
    ends_ = {*find_token("<|end|>")};
  }

  TokenIds encode(std::string_view text) const override {
    return longest_first(text, first_special_);
  }
  TokenIds encode(std::string_view text, std::span<const TextRange> control) const override {
    TokenIds ids;
    std::size_t done = 0;
    for (const TextRange& range : control) {
      for (const TokenId id : encode(text.substr(done, range.begin - done))) ids.push_back(id);
      ids.push_back(*find_token(text.substr(range.begin, range.end - range.begin)));
      done = range.end;
    }
    for (const TokenId id : encode(text.substr(done))) ids.push_back(id);
    return ids;
  }
  TokenIds encode_with_special(std::string_view text) const override {
    return longest_first(text, tokens_.size());
  }
  std::string_view token_bytes(TokenId id) const override {
    return tokens_[static_cast<std::size_t>(id)];
  }
  bool is_special(TokenId id) const override {
    return static_cast<std::size_t>(id) >= first_special_;
  }
  std::optional<TokenId> find_token(std::string_view text) const override {
    const auto it = ids_.find(std::string(text));
    return it == ids_.end() ? std::nullopt : std::optional(it->second);
  }
  std::size_t vocabulary_size() const override { return tokens_.size(); }
  std::span<const TokenId> end_tokens() const override { return ends_; }
  std::optional<TokenId> begin_token() const override { return std::nullopt; }
  std::string_view pretokenizer_name() const override { return "fake"; }

 private:
  void add(std::string token) {
    const auto id = static_cast<TokenId>(tokens_.size());
    const bool is_new = ids_.emplace(token, id).second;
    RR_CHECK(is_new, "a token stands twice in the vocabulary");
    longest_ = std::max(longest_, token.size());
    tokens_.push_back(std::move(token));
  }

  TokenIds longest_first(std::string_view text, std::size_t limit) const {
    TokenIds found;
    while (!text.empty()) {
      std::size_t size = std::min(longest_, text.size());
      std::optional<TokenId> id = find_token(text.substr(0, size));
      while (!id || static_cast<std::size_t>(*id) >= limit) id = find_token(text.substr(0, --size));
      found.push_back(*id);
      text.remove_prefix(size);
    }
    return found;
  }

  std::vector<std::string> tokens_;
  std::map<std::string, TokenId> ids_;
  std::size_t first_special_ = 0;
  std::size_t longest_ = 0;
  TokenIds ends_;
};

// Fills the scores of the next token, given all tokens read.
using FakeScores = std::function<void(std::span<const TokenId> read, std::span<float> scores)>;

// Scores in [-4, 4) that look random and depend on every token read.
inline FakeScores hashed_scores(std::uint64_t seed) {
  return [seed](std::span<const TokenId> read, std::span<float> scores) {
    std::uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
    for (const TokenId id : read) {
      state = (state ^ static_cast<std::uint64_t>(id + 1)) * 0xBF58476D1CE4E5B9u;
      state ^= state >> 29;
    }
    for (float& score : scores) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      score = static_cast<float>(state >> 40) * 0x1.0p-21f - 4;
    }
  };
}

// Scores that make greedy decoding write these ids behind a prompt of `prompt_size` tokens,
// whatever was forced in between; then the end token, if there is one.
inline FakeScores scripted_scores(std::size_t prompt_size, TokenIds script, TokenId end) {
  return [=](std::span<const TokenId> read, std::span<float> scores) {
    std::fill(scores.begin(), scores.end(), 0.0f);
    const std::size_t place = read.size() - prompt_size;
    scores[static_cast<std::size_t>(place < script.size() ? script[place] : end)] = 5;
  };
}

}  // namespace rr
