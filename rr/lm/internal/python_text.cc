#include "rr/lm/internal/python_text.h"

#include "rr/base/utf8.h"

namespace rr::internal {
namespace {

// str.isspace(): bidirectional class WS, B or S, or category Zs.
bool is_python_space(char32_t c) {
  if (c < 0x80) return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20);
  if (c >= 0x2000 && c <= 0x200A) return true;
  return c == 0x85 || c == 0xA0 || c == 0x1680 || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

std::size_t last_character(std::string_view text) {
  std::size_t begin = text.size() - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return begin;
}

}  // namespace

std::string_view strip_newlines_left(std::string_view text) {
  while (text.starts_with('\n')) text.remove_prefix(1);
  return text;
}

std::string_view strip_newlines_right(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

std::string_view strip_white_space(std::string_view text) {
  while (!text.empty()) {
    const DecodedCodePoint first = decode_code_point(text, 0);
    if (!is_python_space(first.code_point)) break;
    text.remove_prefix(first.length);
  }
  while (!text.empty()) {
    const std::size_t begin = last_character(text);
    if (!is_python_space(decode_code_point(text, begin).code_point)) break;
    text.remove_suffix(text.size() - begin);
  }
  return text;
}

}  // namespace rr::internal
