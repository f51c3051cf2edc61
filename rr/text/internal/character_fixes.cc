#include "rr/text/internal/character_fixes.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "rr/base/check.h"
#include "rr/text/internal/code_pages.h"
#include "rr/text/internal/code_points.h"

namespace rr::internal {
namespace {

// Latin letters drawn as one, and digraphs that old encodings had (LIGATURES of ftfy 6.3.1).
// Letters that languages count as their own, such as U+00E6, are none.
std::u32string_view letters_of_ligature(char32_t c) {
  switch (c) {
    case 0x0132:
      return U"IJ";
    case 0x0133:
      return U"ij";
    case 0x0149:
      return U"\u02BCn";
    case 0x01F1:
      return U"DZ";
    case 0x01F2:
      return U"Dz";
    case 0x01F3:
      return U"dz";
    case 0x01C4:
      return U"D\u017D";
    case 0x01C5:
      return U"D\u017E";
    case 0x01C6:
      return U"d\u017E";
    case 0x01C7:
      return U"LJ";
    case 0x01C8:
      return U"Lj";
    case 0x01C9:
      return U"lj";
    case 0x01CA:
      return U"NJ";
    case 0x01CB:
      return U"Nj";
    case 0x01CC:
      return U"nj";
    case 0xFB00:
      return U"ff";
    case 0xFB01:
      return U"fi";
    case 0xFB02:
      return U"fl";
    case 0xFB03:
      return U"ffi";
    case 0xFB04:
      return U"ffl";
    case 0xFB05:
      return U"\u017Ft";
    case 0xFB06:
      return U"st";
    default:
      return {};
  }
}

void fix_ligatures(std::u32string& text) {
  std::u32string fixed;
  fixed.reserve(text.size());
  for (const char32_t c : text) {
    const std::u32string_view letters = letters_of_ligature(c);
    if (letters.empty()) {
      fixed.push_back(c);
    } else {
      fixed.append(letters);
    }
  }
  text = std::move(fixed);
}

// Appends the usual form of a half-width or full-width character: its compatibility decomposition.
void append_usual_width(std::u32string& text, char32_t c) {
  constexpr char32_t kFullWidthToAscii = 0xFF01 - 0x21;
  if (c >= 0xFF01 && c <= 0xFF5E) {
    text.push_back(c - kFullWidthToAscii);
    return;
  }
  std::array<utf8proc_int32_t, 8> decomposed{};
  int boundary_class = UTF8PROC_BOUNDCLASS_START;
  const utf8proc_ssize_t length = utf8proc_decompose_char(
      static_cast<utf8proc_int32_t>(c), decomposed.data(),
      static_cast<utf8proc_ssize_t>(decomposed.size()),
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT), &boundary_class);
  RR_CHECK(length >= 1 && length <= static_cast<utf8proc_ssize_t>(decomposed.size()),
           "a character of another width decomposes into one or two");
  for (std::size_t i = 0; i < static_cast<std::size_t>(length); ++i) {
    text.push_back(static_cast<char32_t>(decomposed[i]));
  }
}

void fix_widths(std::u32string& text) {
  std::u32string fixed;
  fixed.reserve(text.size());
  for (const char32_t c : text) {
    const bool is_wide = c == 0x3000 || (c >= 0xFF01 && c <= 0xFFEF);
    if (is_wide) {
      append_usual_width(fixed, c);
    } else {
      fixed.push_back(c);
    }
  }
  text = std::move(fixed);
}

void uncurl_quotes(std::u32string& text) {
  for (char32_t& c : text) {
    if (c == 0x02BC || (c >= 0x2018 && c <= 0x201B)) c = U'\'';
    if (c >= 0x201C && c <= 0x201F) c = U'"';
  }
}

void fix_line_breaks(std::u32string& text) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (c == U'\r' && i + 1 < text.size() && text[i + 1] == U'\n') continue;
    const bool is_break = c == U'\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
    text[length++] = is_break ? U'\n' : c;
  }
  text.resize(length);
}

bool is_decimal_digit(char32_t c) {
  if (c < 0x80) return c >= U'0' && c <= U'9';
  return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_ND;
}

// Length of the terminal escape at `position`: ESC, '[', digits and ';', one ASCII letter. 0: none.
// Digits of other scripts count, as ftfy's do.
std::size_t terminal_escape_length(std::u32string_view text, std::size_t position) {
  if (text[position] != 0x1B || position + 1 >= text.size() || text[position + 1] != U'[') return 0;
  std::size_t end = position + 2;
  while (end < text.size() && (text[end] == U';' || is_decimal_digit(text[end]))) ++end;
  const bool has_letter = end < text.size() && ((text[end] >= U'a' && text[end] <= U'z') ||
                                                (text[end] >= U'A' && text[end] <= U'Z'));
  return has_letter ? end + 1 - position : 0;
}

void remove_terminal_escapes(std::u32string& text) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t escape = terminal_escape_length(text, i);
    if (escape == 0) text[length++] = text[i++];
    i += escape;
  }
  text.resize(length);
}

void remove_control_characters(std::u32string& text) {
  const Characters& all = characters();
  std::erase_if(text, [&all](char32_t c) { return (all.of(c) & kControl) != 0; });
}

std::u32string composed(std::u32string_view text) {
  std::string utf8;
  append_code_points(utf8, text);
  utf8proc_uint8_t* output = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(utf8.data()),
                   static_cast<utf8proc_ssize_t>(utf8.size()), &output,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(output, &std::free);
  RR_CHECK(length >= 0, "normalising valid UTF-8 fails only without memory");
  return to_code_points({reinterpret_cast<const char*>(output), static_cast<std::size_t>(length)});
}

// Normalisation form C. Only from one inert character to the next can anything change (UAX #15,
// section 9.1), so all that stands before the first or after the last one of the others is left
// out.
void compose(std::u32string& text) {
  const Characters& all = characters();
  const auto may_change = [&all](char32_t c) { return (all.of(c) & kNormalise) != 0; };
  const auto first = std::find_if(text.begin(), text.end(), may_change);
  if (first == text.end()) return;
  const auto last = std::find_if(text.rbegin(), text.rend(), may_change).base();
  const auto start = first == text.begin() ? first : first - 1;
  const std::u32string middle = composed({&*start, static_cast<std::size_t>(last - start)});
  text.replace(start, last, middle);
}

struct Step {
  Traits trigger;
  void (*apply)(std::u32string& text);
};

constexpr Step kSteps[] = {
    {kC1, fix_c1_controls},
    {kLigature, fix_ligatures},
    {kWide, fix_widths},
    {kCurlyQuote, uncurl_quotes},
    {kLineBreak, fix_line_breaks},
    {kControl, remove_terminal_escapes},
    {kControl, remove_control_characters},
    {kNormalise, compose},
};

}  // namespace

void fix_c1_controls(std::u32string& text) {
  for (char32_t& c : text) {
    if (c >= 0x80 && c <= 0x9F) c = decoded_windows_1252(static_cast<unsigned char>(c));
  }
}

void fix_characters(std::u32string& text, Traits seen, const Characters& characters) {
  for (const Step& step : kSteps) {
    if ((seen & step.trigger) == 0) continue;
    step.apply(text);
    seen = characters.traits_of(text);
  }
}

}  // namespace rr::internal
