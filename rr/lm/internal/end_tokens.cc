#include "rr/lm/internal/end_tokens.h"

#include <algorithm>
#include <string_view>

namespace rr::internal {
namespace {

constexpr std::string_view kKnown[] = {"<|im_end|>", "<|endoftext|>", "<|eot_id|>",
                                       "<|end_of_text|>", "<|eom_id|>"};

}  // namespace

void add_end_token(TokenId id, TokenizerParts& parts) {
  auto& ends = parts.end_tokens;
  if (std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
  TokenKind& kind = parts.tokens[static_cast<std::size_t>(id)].kind;
  if (kind == TokenKind::kAdded) kind = TokenKind::kSpecial;
}

void add_known_end_tokens(TokenizerParts& parts) {
  for (std::size_t i = 0; i < parts.tokens.size(); ++i) {
    auto& token = parts.tokens[i];
    const bool is_known =
        std::find(std::begin(kKnown), std::end(kKnown), token.text) != std::end(kKnown);
    if (!is_known) continue;
    token.kind = TokenKind::kSpecial;
    add_end_token(static_cast<TokenId>(i), parts);
  }
}

}  // namespace rr::internal
