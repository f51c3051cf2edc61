#include "rr/text/fix_text.h"

#include <cstddef>
#include <string>
#include <string_view>

#include "rr/base/utf8.h"
#include "rr/text/internal/badness.h"
#include "rr/text/internal/character_fixes.h"
#include "rr/text/internal/characters.h"
#include "rr/text/internal/code_points.h"
#include "rr/text/internal/html_entities.h"
#include "rr/text/internal/mojibake.h"
#include "rr/text/internal/rounds.h"

namespace rr {
namespace {

using internal::Characters;
using internal::Traits;

constexpr std::size_t kSegmentCodePoints = 1'000'000;

// How many bytes of `line` its first kSegmentCodePoints code points take.
std::size_t longest_segment(std::string_view line) {
  if (line.size() <= kSegmentCodePoints) return line.size();
  std::size_t num_code_points = 0;
  for (std::size_t position = 0; position < line.size(); ++position) {
    const bool starts_code_point = (static_cast<unsigned char>(line[position]) & 0xC0) != 0x80;
    if (!starts_code_point) continue;
    if (num_code_points == kSegmentCodePoints) return position;
    ++num_code_points;
  }
  return line.size();
}

std::string_view first_segment(std::string_view text) {
  const std::size_t newline = text.find('\n');
  const std::string_view line = text.substr(0, newline == text.npos ? newline : newline + 1);
  return line.substr(0, longest_segment(line));
}

// ASCII that no step changes: printable, tab, line feed or form feed, and no '&' (which may start
// an entity).
bool is_plain_ascii(std::string_view segment) {
  bool plain = true;
  for (const char c : segment) {  // no early exit: compilers turn this into vector code
    const auto byte = static_cast<unsigned char>(c);
    plain &= (byte >= 0x20 || byte == '\t' || byte == '\n' || byte == '\f') && byte < 0x7F;
    plain &= byte != '&';
  }
  return plain;
}

// One round of all steps.
void fix_once(std::u32string& text, bool unescape, const Characters& characters,
              std::size_t& rounds_left) {
  if (unescape && text.find(U'&') != text.npos) internal::unescape_html(text);
  Traits seen = characters.traits_of(text);
  if ((seen & internal::kMojibake) != 0) {
    internal::fix_encoding(text, rounds_left);
    seen = characters.traits_of(text);
  }
  internal::fix_characters(text, seen, characters);
}

// Whether a round of all steps would leave `text` as it is. May say no where it would.
bool is_clean(std::u32string_view text, bool unescape, const Characters& characters) {
  const Traits seen = characters.traits_of(text);
  if ((seen & internal::kNeedsFix) != 0) return false;
  if (unescape && text.find(U'&') != text.npos) return false;
  return (seen & internal::kMojibake) == 0 || !internal::is_bad(text);
}

void append_fixed(std::string& fixed, std::string_view segment, bool unescape) {
  if (is_plain_ascii(segment)) {
    fixed.append(segment);
    return;
  }
  const Characters& characters = internal::characters();
  std::u32string text = internal::to_code_points(segment);
  if (is_clean(text, unescape, characters)) {
    fixed.append(segment);
    return;
  }
  std::u32string before;
  for (std::size_t rounds_left = internal::kMostRounds; rounds_left > 0 && text != before;) {
    --rounds_left;
    before = text;
    fix_once(text, unescape, characters, rounds_left);
  }
  internal::append_code_points(fixed, text);
}

std::string fix_valid_text(std::string_view text, const FixTextOptions& options) {
  std::string fixed;
  fixed.reserve(text.size());
  bool unescape = options.unescape_html == EntityRepair::kAuto;
  while (!text.empty()) {
    const std::string_view segment = first_segment(text);
    text.remove_prefix(segment.size());
    unescape = unescape && segment.find('<') == segment.npos;
    append_fixed(fixed, segment, unescape);
  }
  return fixed;
}

}  // namespace

std::string fix_text(std::string_view text, const FixTextOptions& options) {
  if (is_valid_utf8(text)) return fix_valid_text(text, options);
  return fix_valid_text(repair_utf8(text).text, options);
}

}  // namespace rr
