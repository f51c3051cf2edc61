#include "rr/ir/id_spelling.h"

#include <algorithm>
#include <limits>

#include "rr/base/check.h"

namespace rr {
namespace {

constexpr std::string_view kHexDigits = "0123456789ABCDEF";

bool is_blank_or_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte <= 0x20 || byte == 0x7F;
}

bool has_blanks(std::string_view text) {
  return std::any_of(text.begin(), text.end(), is_blank_or_control);
}

// The byte that two upper-case hexadecimal digits at `position` stand for; -1: no such digits.
int hex_byte(std::string_view text, std::size_t position) {
  if (position + 2 > text.size()) return -1;
  const std::size_t high = kHexDigits.find(text[position]);
  const std::size_t low = kHexDigits.find(text[position + 1]);
  if (high == std::string_view::npos || low == std::string_view::npos) return -1;
  return static_cast<int>(high * 16 + low);
}

// True where spell_id can have written `text` with encoded bytes.
//
// Undoing one level turns each "%25" into "%", so "%2520" holds a blank two levels down. The text
// was encoded if some level holds a blank and every level above it can be undone as a whole: each
// of its '%' begins "%25" or an encoded blank.
bool is_encoded(std::string_view text) {
  constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();
  std::size_t first_with_blank = kNever;
  std::size_t first_not_encoded = kNever;
  for (std::size_t i = text.find('%'); i != std::string_view::npos; i = text.find('%', i)) {
    std::size_t level = 0;
    for (++i; text.substr(i, 2) == "25"; i += 2) ++level;
    const int byte = hex_byte(text, i);
    if (byte >= 0 && is_blank_or_control(static_cast<char>(byte))) {
      first_with_blank = std::min(first_with_blank, level + 1);
    } else {
      first_not_encoded = std::min(first_not_encoded, level);
    }
  }
  return first_with_blank != kNever && first_with_blank <= first_not_encoded && !has_blanks(text);
}

}  // namespace

void append_spelling(std::string_view id, std::string& text) {
  RR_CHECK(!id.empty(), "an id is never empty");
  if (!has_blanks(id) && !is_encoded(id)) {
    text += id;
    return;
  }
  for (const char c : id) {
    if (c != '%' && !is_blank_or_control(c)) {
      text += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    text += {'%', kHexDigits[byte / 16U], kHexDigits[byte % 16U]};
  }
}

std::string spell_id(std::string_view id) {
  std::string spelling;
  append_spelling(id, spelling);
  return spelling;
}

std::string read_spelling(std::string_view text) {
  if (!is_encoded(text)) return std::string(text);
  std::string id;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      id += text[i];
      continue;
    }
    id += static_cast<char>(hex_byte(text, i + 1));
    i += 2;
  }
  return id;
}

}  // namespace rr
