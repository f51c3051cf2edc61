#include "rr/lm_llama/internal/special_tokens.h"

#include <algorithm>
#include <optional>

namespace rr::internal {

SpecialTokens::SpecialTokens(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {
  const auto size = static_cast<TokenId>(tokenizer.vocabulary_size());
  for (TokenId id = 0; id < size; ++id) {
    const std::string_view bytes = tokenizer.token_bytes(id);
    if (bytes.empty() || !tokenizer.is_special(id)) continue;
    begins_[static_cast<unsigned char>(bytes.front())] = true;
    longest_ = std::max(longest_, bytes.size());
  }
}

std::vector<TextRange> SpecialTokens::find(std::string_view text) const {
  const auto size_at = [&](std::size_t begin) {
    for (std::size_t size = std::min(longest_, text.size() - begin); size > 0; --size) {
      const std::optional<TokenId> id = tokenizer_->find_token(text.substr(begin, size));
      if (id && tokenizer_->is_special(*id)) return size;
    }
    return std::size_t{0};
  };
  std::vector<TextRange> found;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t size = begins_[static_cast<unsigned char>(text[begin])] ? size_at(begin) : 0;
    if (size > 0) found.push_back({begin, begin + size});
    begin += std::max<std::size_t>(1, size);
  }
  return found;
}

}  // namespace rr::internal
