#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rr/lm/tokenizer.h"

namespace rr::internal {

// Tokens that are found in a text as they stand, before any cutting into words.
class AddedTokens {
 public:
  struct Token {
    std::string text;  // not empty
    TokenId id;
  };
  struct Match {
    std::size_t begin;
    std::size_t end;
    TokenId id;
  };

  AddedTokens() = default;
  explicit AddedTokens(std::vector<Token> tokens);

  bool empty() const { return tokens_.empty(); }

  // The leftmost token at or after `begin`, of those that start there the longest.
  std::optional<Match> find_next(std::string_view text, std::size_t begin) const;

  // The id of the token with exactly this text.
  std::optional<TokenId> find_exact(std::string_view text) const;

 private:
  std::optional<Match> match_at(std::string_view text, std::size_t begin) const;

  std::vector<Token> tokens_;  // by text
  std::string first_bytes_;    // each once
};

}  // namespace rr::internal
