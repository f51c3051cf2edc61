#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rr/lm/internal/pretokenizer.h"
#include "rr/lm/tokenizer.h"

namespace rr::internal {

enum class TokenKind {
  kNormal,   // text in the byte alphabet (byte_alphabet.h); merges make it
  kAdded,    // plain text, found in every text before it is cut into words ("<tool_call>")
  kSpecial,  // plain text, a control token ("<|im_end|>")
  kUnused,   // a hole or padding: no text gives it
};

// What the files of a byte-level BPE tokenizer say, whatever their format.
struct TokenizerParts {
  struct Token {
    std::string text;
    TokenKind kind = TokenKind::kUnused;
  };

  std::vector<Token> tokens;        // by id
  std::vector<std::string> merges;  // "left right" in the byte alphabet, first merge first
  Pretokenizer pretokenizer = Pretokenizer::kGpt2;
  bool nfc = false;            // text is brought to normal form C first
  bool ignore_merges = false;  // a word that is a token is that token, whatever the merges say
  std::optional<TokenId> begin_token;
  std::vector<TokenId> end_tokens;
  std::string where;  // for messages: the file
};

}  // namespace rr::internal
