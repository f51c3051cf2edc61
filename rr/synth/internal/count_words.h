#pragma once

#include <cstddef>
#include <string_view>

namespace rr::internal {

// What ASCII blanks separate.
inline std::size_t count_words(std::string_view text) {
  std::size_t words = 0;
  bool inside = false;
  for (const char c : text) {
    const bool is_blank = c == ' ' || (c >= '\t' && c <= '\r');
    if (!is_blank && !inside) ++words;
    inside = !is_blank;
  }
  return words;
}

}  // namespace rr::internal
