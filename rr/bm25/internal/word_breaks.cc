#include "rr/bm25/internal/word_breaks.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "rr/base/utf8.h"

namespace rr::internal {
namespace {

// What a character can be in a rule; some are several things.
using Kinds = std::uint32_t;
constexpr Kinds kLetter = 1U << 0;  // ALetter and Hebrew_Letter
constexpr Kinds kHebrew = 1U << 1;
constexpr Kinds kNumeric = 1U << 2;
constexpr Kinds kKatakana = 1U << 3;
constexpr Kinds kMidLetter = 1U << 4;  // MidLetter, MidNumLet and Single_Quote
constexpr Kinds kMidNumber = 1U << 5;  // MidNum, MidNumLet and Single_Quote
constexpr Kinds kConnector = 1U << 6;  // ExtendNumLet
constexpr Kinds kSingleQuote = 1U << 7;
constexpr Kinds kDoubleQuote = 1U << 8;
constexpr Kinds kExtender = 1U << 9;     // Extend, Format and ZWJ: part of the character before
constexpr Kinds kAlone = 1U << 10;       // Han and Hiragana
constexpr Kinds kAsianRun = 1U << 11;    // line break class Complex_Context: Thai, Lao, Khmer, ...
constexpr Kinds kRegional = 1U << 12;    // half a flag
constexpr Kinds kEmoji = 1U << 13;       // an emoji by itself
constexpr Kinds kEmojiBase = 1U << 14;   // takes a modifier
constexpr Kinds kModifier = 1U << 15;    // skin tones
constexpr Kinds kKeycapBase = 1U << 16;  // 0-9 # *
constexpr Kinds kJoiner = 1U << 17;      // ZWJ
constexpr Kinds kBase = kLetter | kNumeric | kKatakana;
constexpr Kinds kStart = kBase | kConnector | kAlone | kAsianRun;
constexpr Kinds kEmojiStart = kRegional | kEmoji | kEmojiBase | kModifier | kKeycapBase | kJoiner;

constexpr char32_t kTextSelector = 0xFE0E;
constexpr char32_t kEmojiSelector = 0xFE0F;
constexpr char32_t kKeycap = 0x20E3;

struct Range {
  char32_t first;
  char32_t last;
};

// Letters of WordBreakProperty since Unicode 11 that were none in Unicode 9.
constexpr std::array<Range, 12> kLaterLetters = {{{0x02C2, 0x02C5},
                                                  {0x02D2, 0x02D7},
                                                  {0x02DE, 0x02DF},
                                                  {0x02E5, 0x02EB},
                                                  {0x02ED, 0x02ED},
                                                  {0x02EF, 0x02FF},
                                                  {0x055A, 0x055C},
                                                  {0x055E, 0x055E},
                                                  {0x058A, 0x058A},
                                                  {0xA708, 0xA716},
                                                  {0xA720, 0xA721},
                                                  {0xA789, 0xA78A}}};

bool is_later_letter(char32_t c) {
  return std::any_of(kLaterLetters.begin(), kLaterLetters.end(),
                     [c](const Range& range) { return range.first <= c && c <= range.last; });
}

int age_of(char32_t c) {
  UVersionInfo version;
  u_charAge(static_cast<UChar32>(c), version);
  return version[0];
}

Kinds word_break_kinds(char32_t c) {
  if (c == 0x02D7) return kMidLetter;  // as in Unicode 9
  switch (u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_WORD_BREAK)) {
    case U_WB_ALETTER:
      return is_later_letter(c) ? 0 : kLetter;
    case U_WB_HEBREW_LETTER:
      return kLetter | kHebrew;
    case U_WB_NUMERIC:
      return kNumeric;
    case U_WB_KATAKANA:
      return kKatakana;
    case U_WB_MIDLETTER:
      return kMidLetter;
    case U_WB_MIDNUM:
      return kMidNumber;
    case U_WB_MIDNUMLET:
      return kMidLetter | kMidNumber;
    case U_WB_SINGLE_QUOTE:
      return kSingleQuote | kMidLetter | kMidNumber;
    case U_WB_DOUBLE_QUOTE:
      return kDoubleQuote;
    case U_WB_EXTENDNUMLET:
      return kConnector;
    case U_WB_ZWJ:
      return kExtender | kJoiner;
    case U_WB_EXTEND:
    case U_WB_FORMAT:
      return kExtender;
    case U_WB_REGIONAL_INDICATOR:
      return kRegional;
    default:
      return 0;
  }
}

Kinds emoji_kinds(char32_t c) {
  const auto has = [c](UProperty property) {
    return u_hasBinaryProperty(static_cast<UChar32>(c), property) != 0;
  };
  if (c < 0x80) return 0;  // digits, # and * are emoji only under a keycap
  Kinds kinds = 0;
  const bool is_modifier = has(UCHAR_EMOJI_MODIFIER);
  const bool is_regional = has(UCHAR_REGIONAL_INDICATOR);
  if (has(UCHAR_EXTENDED_PICTOGRAPHIC)) kinds |= kEmoji;
  if (has(UCHAR_EMOJI) && !is_modifier && !is_regional) kinds |= kEmoji;
  if (has(UCHAR_EMOJI_MODIFIER_BASE)) kinds |= kEmojiBase;
  if (is_modifier) kinds |= kModifier;
  return kinds;
}

Kinds compute_kinds(char32_t c) {
  Kinds kinds = emoji_kinds(c);
  if (age_of(c) > 9) return kinds;
  if ((kinds & kModifier) == 0) kinds |= word_break_kinds(c);  // no extender in Unicode 9
  if ((c >= '0' && c <= '9') || c == '#' || c == '*') kinds |= kKeycapBase;
  if (c >= 0xFF10 && c <= 0xFF19) kinds |= kNumeric;  // full-width digits
  if (u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_LINE_BREAK) == U_LB_COMPLEX_CONTEXT) {
    kinds |= kAsianRun;
  }
  UErrorCode status = U_ZERO_ERROR;
  const UScriptCode script = uscript_getScript(static_cast<UChar32>(c), &status);
  if (script == USCRIPT_HAN || script == USCRIPT_HIRAGANA) kinds |= kAlone;
  return kinds;
}

// The first characters' kinds are kept: nearly all text is made of them.
constexpr std::size_t kNumKept = 0x2200;

Kinds kinds_of(char32_t c) {
  static const std::array<Kinds, kNumKept> kept = [] {
    std::array<Kinds, kNumKept> kinds{};
    for (std::size_t i = 0; i < kNumKept; ++i) kinds[i] = compute_kinds(static_cast<char32_t>(i));
    return kinds;
  }();
  return c < kNumKept ? kept[c] : compute_kinds(c);
}

// Walks over at most kMaxWordUnits UTF-16 units; past them, as at the end, it sees nothing.
class Scanner {
 public:
  Scanner(std::string_view text, std::size_t position) : text_(text), position_(position) {
    look();
  }

  bool at_end() const { return length_ == 0; }
  Kinds kinds() const { return kinds_; }
  char32_t character() const { return character_; }
  std::size_t position() const { return position_; }

  bool is_after_joiner() const { return is_after_joiner_; }

  void step() {
    is_after_joiner_ = (kinds_ & kJoiner) != 0;
    units_ += character_ > 0xFFFF ? 2 : 1;
    position_ += length_;
    look();
  }

  void skip_extenders() {
    while ((kinds_ & kExtender) != 0) step();
  }
  // Over this character and what belongs to it.
  void step_over() {
    step();
    skip_extenders();
  }

  void skip_emoji_extenders() {
    while ((kinds_ & kExtender) != 0 && character_ != kTextSelector &&
           character_ != kEmojiSelector) {
      step();
    }
  }

 private:
  void look() {
    character_ = 0;
    length_ = 0;
    kinds_ = 0;
    if (position_ >= text_.size()) return;
    const auto byte = static_cast<unsigned char>(text_[position_]);
    const DecodedCodePoint decoded =
        byte < 0x80 ? DecodedCodePoint{byte, 1, true} : decode_code_point(text_, position_);
    if (units_ + (decoded.code_point > 0xFFFF ? 2 : 1) > kMaxWordUnits) return;
    character_ = decoded.code_point;
    length_ = decoded.length;
    kinds_ = kinds_of(character_);
  }

  std::string_view text_;
  std::size_t position_;
  std::size_t units_ = 0;
  std::size_t length_ = 0;  // of the character here; 0 at the end
  char32_t character_ = 0;
  Kinds kinds_ = 0;
  bool is_after_joiner_ = false;
};

// Words of letters, digits and Katakana (WB5 to WB13b). `before` is the last character's kind.
class WordScan {
 public:
  explicit WordScan(const Scanner& start) : scanner_(start), end_(start.position()) {}

  // The end of the longest word, or its start where there is none.
  std::size_t run() {
    while (take_one()) {
      if (has_base_) end_ = scanner_.position();
    }
    return end_;
  }

 private:
  bool take_one() {
    const Kinds here = scanner_.kinds();
    if ((here & kBase) != 0) return take_base(here);
    if ((here & kConnector) != 0) return take(kConnector);
    return take_middle(here);
  }

  bool take(Kinds kind) {
    scanner_.step_over();
    before_ = kind;
    return true;
  }

  bool take_base(Kinds here) {
    const bool is_katakana = (here & kKatakana) != 0;
    const bool after_katakana = (before_ & kKatakana) != 0;
    const bool joins_all = before_ == 0 || before_ == kConnector;
    if (!joins_all && is_katakana != after_katakana) return false;
    has_base_ = true;
    return take(here);
  }

  // A mark inside a word counts only with the right character after it.
  bool take_middle(Kinds here) {
    if ((here & kMidLetter) != 0 && (before_ & kLetter) != 0 && take_with_next(kLetter)) {
      return true;
    }
    if ((here & kMidNumber) != 0 && (before_ & kNumeric) != 0 && take_with_next(kNumeric)) {
      return true;
    }
    if ((before_ & kHebrew) == 0) return false;
    if ((here & kSingleQuote) != 0) return take(kClosed);
    if ((here & kDoubleQuote) == 0 || !take_with_next(kHebrew)) return false;
    before_ = kClosed;
    return true;
  }

  bool take_with_next(Kinds wanted) {
    Scanner ahead = scanner_;
    ahead.step_over();
    if ((ahead.kinds() & wanted) == 0) return false;
    before_ = ahead.kinds();
    ahead.step_over();
    scanner_ = ahead;
    return true;
  }

  // After a Hebrew abbreviation: letters and digits may follow, marks may not.
  static constexpr Kinds kClosed = 1U << 31;

  Scanner scanner_;
  std::size_t end_;
  Kinds before_ = 0;
  bool has_base_ = false;
};

std::size_t asian_run_end(Scanner scanner) {
  while ((scanner.kinds() & kAsianRun) != 0) scanner.step_over();
  return scanner.position();
}

// One emoji: a pictograph with its extenders and presentation, or a base and a modifier. Joiners in
// front belong to it. False, and nowhere moved, where there is none.
bool take_emoji(Scanner& scanner) {
  Scanner ahead = scanner;
  while ((ahead.kinds() & kJoiner) != 0) ahead.step();
  const Kinds here = ahead.kinds();
  const bool is_bare_modifier = (here & kModifier) != 0 && ahead.position() == scanner.position();
  if ((here & (kEmoji | kEmojiBase)) == 0 && !is_bare_modifier) return false;
  ahead.step();
  ahead.skip_emoji_extenders();
  if ((here & kEmojiBase) != 0 && (ahead.kinds() & kModifier) != 0) {
    ahead.step();
    ahead.skip_emoji_extenders();
  } else if ((here & kEmoji) != 0 && ahead.character() == kEmojiSelector) {
    ahead.step();
  }
  scanner = ahead;
  return true;
}

// Emoji that joiners bind together: a family, a profession.
std::size_t emoji_end(Scanner scanner) {
  const std::size_t start = scanner.position();
  if (!take_emoji(scanner)) return start;
  for (;;) {
    Scanner ahead = scanner;
    // Joiners right behind an emoji were taken as its extenders; those behind a presentation
    // selector were not.
    while ((ahead.kinds() & kJoiner) != 0) ahead.step();
    if (!ahead.is_after_joiner() || !take_emoji(ahead)) return scanner.position();
    scanner = ahead;
  }
}

std::size_t flag_end(Scanner scanner) {
  const std::size_t start = scanner.position();
  scanner.step_over();
  if ((scanner.kinds() & kRegional) == 0) return start;
  scanner.step_over();
  return scanner.position();
}

std::size_t keycap_end(Scanner scanner) {
  const std::size_t start = scanner.position();
  bool has_keycap = false;
  scanner.step();
  for (; (scanner.kinds() & kExtender) != 0; scanner.step()) {
    has_keycap |= scanner.character() == kKeycap;
  }
  return has_keycap ? scanner.position() : start;
}

// The longest of the rules' matches, as a generated scanner takes it.
std::size_t word_end(const Scanner& scanner) {
  const Kinds here = scanner.kinds();
  std::size_t end = scanner.position();
  if ((here & (kBase | kConnector)) != 0) end = WordScan(scanner).run();
  if ((here & kAsianRun) != 0) end = std::max(end, asian_run_end(scanner));
  if ((here & kAlone) != 0) {
    Scanner one = scanner;
    one.step_over();
    end = std::max(end, one.position());
  }
  if ((here & kEmojiStart) == 0) return end;
  if ((here & kKeycapBase) != 0) return std::max(end, keycap_end(scanner));
  if ((here & kRegional) != 0) return std::max(end, flag_end(scanner));
  return std::max(end, emoji_end(scanner));
}

// What an ASCII character is to the short cut of next_word().
enum class Plain : std::uint8_t {
  kNothing,  // in no word, and ends one
  kInside,   // a letter or a digit
  kMark,     // ends a word unless a letter or digit follows
  kOther,    // needs the rules
};

constexpr std::array<Plain, 256> kPlain = [] {
  std::array<Plain, 256> plain{};
  for (int c = 0; c < 256; ++c) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool is_mark = c == '\'' || c == '.' || c == ',' || c == ':' || c == ';';
    // # and * can begin a keycap; " matters to Hebrew alone.
    const bool needs_rules = c >= 0x80 || c == '_' || c == '#' || c == '*';
    auto& kind = plain[static_cast<std::size_t>(c)];
    if (is_letter || (c >= '0' && c <= '9')) kind = Plain::kInside;
    if (is_mark) kind = Plain::kMark;
    if (needs_rules) kind = Plain::kOther;
  }
  return plain;
}();

Plain plain_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) return Plain::kNothing;
  return kPlain[static_cast<unsigned char>(text[at])];
}

}  // namespace

Word next_word_by_rules(std::string_view text, std::size_t from) {
  while (from < text.size()) {
    const Scanner scanner(text, from);
    const bool may_start = (scanner.kinds() & (kStart | kEmojiStart)) != 0;
    const std::size_t end = may_start ? word_end(scanner) : from;
    if (end > from) return {from, end};
    Scanner behind = scanner;
    behind.step();
    from = behind.position();
  }
  return {text.size(), text.size()};
}

Word next_word(std::string_view text, std::size_t from) {
  Plain here = plain_at(text, from);
  while (from < text.size() && (here == Plain::kNothing || here == Plain::kMark)) {
    here = plain_at(text, ++from);
  }
  if (here != Plain::kInside) return next_word_by_rules(text, from);
  std::size_t end = from + 1;
  while (plain_at(text, end) == Plain::kInside) ++end;
  const Plain behind = plain_at(text, end);
  const Plain after = plain_at(text, end + 1);
  const bool is_over =
      behind == Plain::kNothing ||
      (behind == Plain::kMark && (after == Plain::kNothing || after == Plain::kMark));
  if (!is_over || end - from > kMaxWordUnits) return next_word_by_rules(text, from);
  return {from, end};
}

}  // namespace rr::internal
