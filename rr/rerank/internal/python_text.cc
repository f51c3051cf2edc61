#include "rr/rerank/internal/python_text.h"

#include <algorithm>
#include <array>

#include "rr/base/utf8.h"

namespace rr::internal {
namespace {

// The zeros of all scripts: each starts a run of ten decimal digits, 0 to 9 (general category Nd).
constexpr auto kZeros = std::to_array<char32_t>(
    {0x0030,  0x0660,  0x06F0,  0x07C0,  0x0966,  0x09E6,  0x0A66,  0x0AE6,  0x0B66,  0x0BE6,
     0x0C66,  0x0CE6,  0x0D66,  0x0DE6,  0x0E50,  0x0ED0,  0x0F20,  0x1040,  0x1090,  0x17E0,
     0x1810,  0x1946,  0x19D0,  0x1A80,  0x1A90,  0x1B50,  0x1BB0,  0x1C40,  0x1C50,  0xA620,
     0xA8D0,  0xA900,  0xA9D0,  0xA9F0,  0xAA50,  0xABF0,  0xFF10,  0x104A0, 0x10D30, 0x11066,
     0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0,
     0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2,
     0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0});

// What has Numeric_Type=Digit without being decimal: superscripts, circled digits and their like.
struct CodePointRange {
  char32_t first;
  char32_t last;
};
constexpr auto kDigitLike = std::to_array<CodePointRange>(
    {{0x00B2, 0x00B3},   {0x00B9, 0x00B9},   {0x1369, 0x1371},   {0x19DA, 0x19DA},
     {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
     {0x2474, 0x247C},   {0x2488, 0x2490},   {0x24EA, 0x24EA},   {0x24F5, 0x24FD},
     {0x24FF, 0x24FF},   {0x2776, 0x277E},   {0x2780, 0x2788},   {0x278A, 0x2792},
     {0x10A40, 0x10A43}, {0x10E60, 0x10E68}, {0x11052, 0x1105A}, {0x1F100, 0x1F10A}});

bool is_digit_like(char32_t code_point) {
  const auto* const range =
      std::lower_bound(kDigitLike.begin(), kDigitLike.end(), code_point,
                       [](const CodePointRange& r, char32_t c) { return r.last < c; });
  return range != kDigitLike.end() && range->first <= code_point;
}

// Where the character that ends at `end` starts. Requires end > 0.
std::size_t previous_start(std::string_view text, std::size_t end) {
  std::size_t start = end - 1;
  while (start > 0 && end - start < 4 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) {
    --start;
  }
  const DecodedCodePoint decoded = decode_code_point(text, start);
  return decoded.valid && start + decoded.length == end ? start : end - 1;
}

// The end of a run of decimal digits that starts at `position`.
std::size_t skip_decimals(std::string_view text, std::size_t position) {
  while (position < text.size()) {
    const DecodedCodePoint decoded = decode_code_point(text, position);
    if (classify_digit(decoded.code_point).kind != DigitClass::Kind::kDecimal) break;
    position += decoded.length;
  }
  return position;
}

}  // namespace

DigitClass classify_digit(char32_t code_point) {
  using Kind = DigitClass::Kind;
  const auto* const after = std::upper_bound(kZeros.begin(), kZeros.end(), code_point);
  if (after != kZeros.begin() && code_point - after[-1] <= 9) {
    return {Kind::kDecimal, static_cast<unsigned>(code_point - after[-1])};
  }
  return {is_digit_like(code_point) ? Kind::kDigitLike : Kind::kNone, 0};
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

std::string_view strip(std::string_view text) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    const DecodedCodePoint decoded = decode_code_point(text, begin);
    if (!is_space(decoded.code_point)) break;
    begin += decoded.length;
  }
  std::size_t end = text.size();
  while (end > begin) {
    const std::size_t start = previous_start(text, end);
    if (!is_space(decode_code_point(text, start).code_point)) break;
    end = start;
  }
  return text.substr(begin, end - begin);
}

std::string brackets_to_parentheses(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  std::size_t copied = 0;
  for (std::size_t open = text.find('['); open != text.npos; open = text.find('[', open + 1)) {
    const std::size_t close = skip_decimals(text, open + 1);
    if (close == open + 1 || close >= text.size() || text[close] != ']') continue;
    result.append(text, copied, open - copied);
    result += '(';
    result.append(text, open + 1, close - open - 1);
    result += ')';
    copied = close + 1;
  }
  result.append(text, copied);
  return result;
}

}  // namespace rr::internal
