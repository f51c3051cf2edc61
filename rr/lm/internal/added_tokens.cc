#include "rr/lm/internal/added_tokens.h"

#include <algorithm>

namespace rr::internal {

AddedTokens::AddedTokens(std::vector<Token> tokens) : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end(),
            [](const Token& a, const Token& b) { return a.text < b.text; });
  for (const Token& token : tokens_) {
    const char first = token.text.front();
    if (first_bytes_.find(first) == std::string::npos) first_bytes_.push_back(first);
  }
}

std::optional<AddedTokens::Match> AddedTokens::find_next(std::string_view text,
                                                         std::size_t begin) const {
  if (tokens_.empty()) return std::nullopt;
  for (std::size_t at = text.find_first_of(first_bytes_, begin); at != std::string_view::npos;
       at = text.find_first_of(first_bytes_, at + 1)) {
    if (const auto match = match_at(text, at)) return match;
  }
  return std::nullopt;
}

std::optional<TokenId> AddedTokens::find_exact(std::string_view text) const {
  const auto it =
      std::lower_bound(tokens_.begin(), tokens_.end(), text,
                       [](const Token& token, std::string_view t) { return token.text < t; });
  if (it == tokens_.end() || it->text != text) return std::nullopt;
  return it->id;
}

// Narrows the sorted tokens byte by byte to those that begin as the text does.
std::optional<AddedTokens::Match> AddedTokens::match_at(std::string_view text,
                                                        std::size_t begin) const {
  std::optional<Match> longest;
  auto low = tokens_.begin();
  auto high = tokens_.end();
  for (std::size_t depth = 0; low != high && begin + depth < text.size(); ++depth) {
    const auto next = static_cast<unsigned char>(text[begin + depth]);
    const auto byte_of = [depth](const Token& token) {
      return token.text.size() > depth ? static_cast<unsigned char>(token.text[depth]) : -1;
    };
    low = std::partition_point(low, high, [&](const Token& t) { return byte_of(t) < next; });
    high = std::partition_point(low, high, [&](const Token& t) { return byte_of(t) <= next; });
    const bool is_whole = low != high && low->text.size() == depth + 1;
    if (is_whole) longest = Match{begin, begin + depth + 1, low->id};
  }
  return longest;
}

}  // namespace rr::internal
