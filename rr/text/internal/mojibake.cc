#include "rr/text/internal/mojibake.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "rr/base/utf8.h"
#include "rr/text/internal/badness.h"
#include "rr/text/internal/character_fixes.h"
#include "rr/text/internal/characters.h"
#include "rr/text/internal/code_pages.h"
#include "rr/text/internal/rounds.h"

namespace rr::internal {
namespace {

constexpr unsigned char kBlank = 0x20;
constexpr unsigned char kHardBlank = 0xA0;
constexpr unsigned char kLost = 0x1A;  // a character that U+FFFD had replaced

// A view of bytes that may be read past its end: there is 0, which starts and continues nothing.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  unsigned char operator[](std::size_t position) const {
    return position < bytes_.size() ? static_cast<unsigned char>(bytes_[position]) : 0;
  }
  std::size_t size() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
};

bool between(unsigned char byte, unsigned char low, unsigned char high) {
  return low <= byte && byte <= high;
}
bool is_continuation(unsigned char byte) { return between(byte, 0x80, 0xBF); }

// --- Bytes A0 that a program took for blanks ---------------------------------------------------

// Length of the UTF-8 sequence at `position` that is one if a blank in it is a byte A0; 0: none.
// Only where the character that comes out is a likely one (ALTERED_UTF8_RE).
std::size_t sequence_with_blank(const Bytes& bytes, std::size_t position) {
  const unsigned char lead = bytes[position];
  const unsigned char second = bytes[position + 1];
  const unsigned char third = bytes[position + 2];
  const unsigned char fourth = bytes[position + 3];
  const auto is_likely = [](unsigned char byte) {
    return is_continuation(byte) && byte != 0x85 && byte != kHardBlank;
  };
  constexpr std::string_view kLeadsOfTwo = "\xC2\xC3\xC5\xCE\xD0\xD9";
  if (kLeadsOfTwo.find(static_cast<char>(lead)) != kLeadsOfTwo.npos)
    return second == kBlank ? 2 : 0;
  if (between(lead, 0xE0, 0xE3)) {
    const bool blank_second = lead >= 0xE2 && second == kBlank && is_likely(third);
    const bool blank_third = is_likely(second) && third == kBlank;
    return blank_second || blank_third ? 3 : 0;
  }
  if (lead != 0xF0) return 0;
  const int blanks = (second == kBlank) + (third == kBlank) + (fourth == kBlank);
  const int continuations =
      is_continuation(second) + is_continuation(third) + is_continuation(fourth);
  return blanks == 1 && continuations == 2 ? 4 : 0;
}

bool has_sequence_with_blank(const Bytes& bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (sequence_with_blank(bytes, i) != 0) return true;
  }
  return false;
}

// "à" that stands alone as a word lost its A0 to the blank that follows: that blank stays and the
// byte comes back. Not in Portuguese "àquele", "àquela", "àquilo" and "às".
std::string restore_words_of_a_grave(std::string_view bytes) {
  constexpr std::string_view kWordEndings[] = {" ", "quele", "quela", "quilo", "s "};
  std::string restored;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    restored.push_back(bytes[i]);
    if (!bytes.substr(i).starts_with("\xC3 ")) continue;
    const std::string_view rest = bytes.substr(i + 2);
    const bool goes_on =
        std::any_of(std::begin(kWordEndings), std::end(kWordEndings),
                    [rest](std::string_view ending) { return rest.starts_with(ending); });
    if (!goes_on) restored.push_back(static_cast<char>(kHardBlank));
  }
  return restored;
}

std::string restore_hard_blanks(std::string_view bytes) {
  std::string restored = restore_words_of_a_grave(bytes);
  for (std::size_t i = 0; i < restored.size();) {
    const std::size_t length = sequence_with_blank(Bytes(restored), i);
    for (std::size_t j = i; j < i + length; ++j) {
      if (restored[j] == static_cast<char>(kBlank)) restored[j] = static_cast<char>(kHardBlank);
    }
    i += std::max<std::size_t>(length, 1);
  }
  return restored;
}

// --- Sequences that lost a byte ----------------------------------------------------------------

bool is_lost(unsigned char byte) { return byte == kLost || byte == '?'; }

// Whether bytes [first, first + count) go on a sequence in which at least one byte was lost. A '?'
// counts as lost, once.
bool goes_on_with_loss(const Bytes& bytes, std::size_t first, std::size_t count) {
  std::size_t question_marks = 0;
  std::size_t lost = 0;
  for (std::size_t i = first; i < first + count; ++i) {
    if (!is_continuation(bytes[i]) && !is_lost(bytes[i])) return false;
    question_marks += bytes[i] == '?';
    lost += is_lost(bytes[i]);
  }
  return lost >= 1 && question_marks <= 1;
}

// Two surrogates in three bytes each (CESU-8), of which at least one third byte was lost.
bool is_lossy_surrogate_pair(const Bytes& bytes, std::size_t position) {
  const bool has_leads = bytes[position] == 0xED && between(bytes[position + 1], 0xA0, 0xAF) &&
                         bytes[position + 3] == 0xED && between(bytes[position + 4], 0xB0, 0xBF);
  if (!has_leads) return false;
  const unsigned char third = bytes[position + 2];
  const unsigned char sixth = bytes[position + 5];
  return (is_lost(third) && (is_lost(sixth) || is_continuation(sixth))) ||
         (is_continuation(third) && is_lost(sixth));
}

// Length of the damaged UTF-8 sequence at `position`, 0: none (LOSSY_UTF8_RE).
std::size_t lossy_sequence(const Bytes& bytes, std::size_t position) {
  const unsigned char lead = bytes[position];
  const unsigned char second = bytes[position + 1];
  if (lead == kLost) return 1;
  if (between(lead, 0xC2, 0xDF)) {
    return second == kLost || (second == '?' && lead <= 0xC3) ? 2 : 0;
  }
  if (is_lossy_surrogate_pair(bytes, position)) return 6;
  if (between(lead, 0xE0, 0xEF)) return goes_on_with_loss(bytes, position + 1, 2) ? 3 : 0;
  if (between(lead, 0xF0, 0xF4)) return goes_on_with_loss(bytes, position + 1, 3) ? 4 : 0;
  return 0;
}

std::string replace_lossy_sequences(std::string_view bytes) {
  std::string replaced;
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t length = lossy_sequence(Bytes(bytes), i);
    if (length == 0) {
      replaced.push_back(bytes[i++]);
    } else {
      replaced.append("\xEF\xBF\xBD");
      i += length;
    }
  }
  return replaced;
}

// --- Decoding ----------------------------------------------------------------------------------

struct Variant {
  char32_t code_point;
  std::size_t length;  // 0: no variant here
};

// What the variants of UTF-8 add to it: Java's C0 80 for U+0000, and surrogate pairs in three bytes
// each (CESU-8). A line feed that ends the text passes for the last byte of either: ftfy's pattern
// for text cut short in a sequence takes it for the end.
Variant decode_variant(const Bytes& bytes, std::size_t position) {
  const auto ends_sequence = [&bytes](std::size_t last) {
    return is_continuation(bytes[last]) || (bytes[last] == '\n' && last + 1 == bytes.size());
  };
  if (bytes[position] == 0xC0) {
    const bool is_null = bytes[position + 1] == 0x80 ||
                         (bytes[position + 1] == '\n' && position + 2 == bytes.size());
    return {U'\0', is_null ? std::size_t{2} : std::size_t{0}};
  }
  const bool is_pair = bytes[position] == 0xED && between(bytes[position + 1], 0xA0, 0xAF) &&
                       is_continuation(bytes[position + 2]) && bytes[position + 3] == 0xED &&
                       between(bytes[position + 4], 0xB0, 0xBF) && ends_sequence(position + 5);
  if (!is_pair) return {0, 0};
  const char32_t high = ((bytes[position + 1] & 0x0Fu) << 6) | (bytes[position + 2] & 0x3Fu);
  const char32_t low = ((bytes[position + 4] & 0x0Fu) << 6) | (bytes[position + 5] & 0x3Fu);
  return {0x10000 + (high << 10) + low, 6};
}

// `bytes` read as UTF-8 or one of its variants, nullopt where they are neither.
std::optional<std::u32string> decode(std::string_view bytes) {
  std::u32string text;
  for (std::size_t i = 0; i < bytes.size();) {
    if (const Variant variant = decode_variant(Bytes(bytes), i); variant.length > 0) {
      text.push_back(variant.code_point);
      i += variant.length;
      continue;
    }
    const DecodedCodePoint decoded = decode_code_point(bytes, i);
    if (!decoded.valid) return std::nullopt;
    text.push_back(decoded.code_point);
    i += decoded.length;
  }
  return text;
}

// What `text` is when the bytes that `page` read it from are UTF-8, nullopt when they are not.
std::optional<std::u32string> read_again(std::u32string_view text, const CodePage& page) {
  std::optional<std::string> bytes = page.encode(text);
  if (!bytes) return std::nullopt;
  if (page.kind() != PageKind::kMacRoman && has_sequence_with_blank(Bytes(*bytes))) {
    bytes = restore_hard_blanks(*bytes);
  }
  if (page.kind() == PageKind::kSloppy) bytes = replace_lossy_sequences(*bytes);
  return decode(*bytes);
}

// --- Pieces that were read wrongly in a text that was read well ---------------------------------

bool is_continuation_like(std::u32string_view text, std::size_t first, std::size_t count) {
  if (first + count > text.size()) return false;
  const Characters& all = characters();
  return std::all_of(text.begin() + static_cast<std::ptrdiff_t>(first),
                     text.begin() + static_cast<std::ptrdiff_t>(first + count),
                     [&all](char32_t c) { return (all.of(c) & kContinuation) != 0; });
}

// Length of what looks like one UTF-8 sequence at `position`, 0: nothing.
std::size_t sequence_like(std::u32string_view text, std::size_t position) {
  const Traits lead = characters().of(text[position]);
  if ((lead & kFirstOf2) != 0) return is_continuation_like(text, position + 1, 1) ? 2 : 0;
  if ((lead & kFirstOf3) != 0) return is_continuation_like(text, position + 1, 2) ? 3 : 0;
  if ((lead & kFirstOf4) != 0) return is_continuation_like(text, position + 1, 3) ? 4 : 0;
  return 0;
}

// Length of the run of such sequences at `position` (UTF8_DETECTOR_RE), 0: none. A run does not
// start after what looks like the end of another sequence, so that no few characters of a long
// garble are repaired alone.
std::size_t suspicious_run(std::u32string_view text, std::size_t position) {
  const bool follows_sequence =
      position > 0 && (characters().of(text[position - 1]) & kStrictContinuation) != 0;
  if (follows_sequence) return 0;
  std::size_t end = position;
  while (end < text.size()) {
    const std::size_t length = sequence_like(text, end);
    if (length == 0) break;
    end += length;
  }
  return end - position;
}

std::u32string fix_suspicious_runs(std::u32string_view text) {
  std::u32string fixed;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = suspicious_run(text, i);
    std::u32string piece(text.substr(i, std::max<std::size_t>(length, 1)));
    i += piece.size();
    std::size_t rounds_left = kMostRounds;  // of its own: a text may have many pieces
    // A piece is shorter than the text, so this ends.
    if (length > 0 && length < text.size() && is_bad(piece)) fix_encoding(piece, rounds_left);
    fixed.append(piece);
  }
  return fixed;
}

// --- All together ------------------------------------------------------------------------------

// Latin-1 that was meant to be Windows-1252, read again; nullopt where Windows-1252 has nothing for
// a byte of it.
std::optional<std::u32string> latin_1_as_windows_1252(std::u32string_view text) {
  const bool fits = std::all_of(text.begin(), text.end(), [](char32_t c) {
    return c <= 0xFF && !is_free_in_windows_1252(c);
  });
  if (!fits) return std::nullopt;
  std::u32string fixed(text);
  fix_c1_controls(fixed);
  return fixed;
}

// One step of fix_encoding(): `text` as it should have been read, or as it is.
std::u32string read_better(const std::u32string& text) {
  if (!is_bad(text)) return text;
  for (const CodePage& page : code_pages()) {
    if (std::optional<std::u32string> better = read_again(text, page)) return *std::move(better);
  }
  if (std::u32string better = fix_suspicious_runs(text); better != text) return better;
  if (const auto better = latin_1_as_windows_1252(text); better && *better != text) return *better;
  std::u32string better = text;
  fix_c1_controls(better);
  return better;
}

}  // namespace

void fix_encoding(std::u32string& text, std::size_t& rounds_left) {
  while (rounds_left > 0) {
    --rounds_left;
    std::u32string better = read_better(text);
    if (better == text) return;
    text = std::move(better);
  }
}

}  // namespace rr::internal
