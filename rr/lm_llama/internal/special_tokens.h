#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "rr/lm/tokenizer.h"

namespace rr::internal {

// Finds the special tokens that a text spells out.
class SpecialTokens {
 public:
  // The tokenizer must outlive it; its tokens and is_special() are looked at here once.
  explicit SpecialTokens(const Tokenizer& tokenizer);

  // From left to right, at each place the longest; in order and apart.
  std::vector<TextRange> find(std::string_view text) const;

 private:
  const Tokenizer* tokenizer_;
  std::array<bool, 256> begins_{};  // bytes that one begins with
  std::size_t longest_ = 0;
};

}  // namespace rr::internal
