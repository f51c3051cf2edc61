#include "rr/lm/internal/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <vector>

#include "rr/base/check.h"
#include "rr/base/utf8.h"

namespace rr::internal {
namespace {

// The longest canonical decomposition of one character has four (Unicode Standard Annex 15).
constexpr utf8proc_ssize_t kMaxDecomposed = 18;

void append_decomposed(char32_t code_point, std::vector<utf8proc_int32_t>& out) {
  utf8proc_int32_t buffer[kMaxDecomposed];
  int boundary_class = 0;
  const utf8proc_ssize_t count = utf8proc_decompose_char(
      static_cast<utf8proc_int32_t>(code_point), buffer, kMaxDecomposed,
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE), &boundary_class);
  RR_CHECK(count >= 0 && count <= kMaxDecomposed, "a character decomposes into few");
  out.insert(out.end(), buffer, buffer + count);
}

auto combining_class(utf8proc_int32_t code_point) {
  return utf8proc_get_property(code_point)->combining_class;
}

// Canonical order: runs of combining marks sorted by their class, equals as they were. utf8proc's
// own loop takes quadratic time on a long run.
void order_canonically(std::vector<utf8proc_int32_t>& code_points) {
  const auto is_mark = [](utf8proc_int32_t c) { return combining_class(c) != 0; };
  for (auto it = code_points.begin(); it != code_points.end();) {
    const auto begin = std::find_if(it, code_points.end(), is_mark);
    const auto end = std::find_if_not(begin, code_points.end(), is_mark);
    std::stable_sort(begin, end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return combining_class(a) < combining_class(b);
    });
    it = end;
  }
}

}  // namespace

bool is_surely_nfc(std::string_view text) {
  // 0xCC leads U+0300..U+033F, and every higher lead byte a higher code point.
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) >= 0xCC; });
}

std::string to_nfc(std::string_view text) {
  std::vector<utf8proc_int32_t> code_points;
  code_points.reserve(text.size());
  for (std::size_t position = 0; position < text.size();) {
    const DecodedCodePoint decoded = decode_code_point(text, position);
    append_decomposed(decoded.code_point, code_points);
    position += decoded.length;
  }
  order_canonically(code_points);
  const utf8proc_ssize_t count = utf8proc_normalize_utf32(
      code_points.data(), static_cast<utf8proc_ssize_t>(code_points.size()),
      static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  RR_CHECK(count >= 0, "composing valid code points does not fail");
  std::string composed;
  composed.reserve(text.size());
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    append_utf8(composed, static_cast<char32_t>(code_points[static_cast<std::size_t>(i)]));
  }
  return composed;
}

}  // namespace rr::internal
