#include "rr/text/internal/code_points.h"

#include <cstddef>

#include "rr/base/utf8.h"

namespace rr::internal {

std::u32string to_code_points(std::string_view utf8) {
  std::u32string text(utf8.size(), U'\0');
  std::size_t length = 0;
  for (std::size_t position = 0; position < utf8.size();) {
    const auto byte = static_cast<unsigned char>(utf8[position]);
    if (byte < 0x80) {
      text[length++] = byte;
      ++position;
      continue;
    }
    const DecodedCodePoint decoded = decode_code_point(utf8, position);
    text[length++] = decoded.code_point;
    position += decoded.length;
  }
  text.resize(length);
  return text;
}

void append_code_points(std::string& utf8, std::u32string_view text) {
  for (const char32_t c : text) append_utf8(utf8, c);
}

}  // namespace rr::internal
