#include "rr/text/internal/badness.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "rr/text/internal/characters.h"

namespace rr::internal {
namespace {

// One character of a rule: any of these traits, any of these characters, or a condition.
struct Element {
  enum class Condition { kNone, kWordCharacter, kNoAsciiLetter, kNoLineFeed };

  Traits traits = 0;
  std::u32string_view members = {};
  Condition condition = Condition::kNone;

  constexpr bool is_used() const {
    return traits != 0 || !members.empty() || condition != Condition::kNone;
  }
};

constexpr std::size_t kLongestRule = 7;

// A sequence of characters that is a sign of a wrong encoding. The anchor is its first element that
// takes only characters of kMojibake; what stands before it is context.
struct Rule {
  std::array<Element, kLongestRule> elements;  // unused ones at the end
  std::size_t anchor = 0;
  bool at_start_of_text = false;
};

constexpr Traits kAccented = kLowerAccented | kUpperAccented;
constexpr Traits kLetter = kLowerAscii | kUpperAscii;
constexpr Traits kCommonLetter = kLowerCommon | kUpperCommon;
constexpr Traits kSign = kAccented | kBox | kStart | kEnd | kCurrency | kNumeric | kLaw;
constexpr Traits kBetweenCapitals = kC1 | kBad | kStart | kEnd | kCurrency;
constexpr Traits kAfterArabicLead = kCommon | kCurrency | kBad | kNumeric | kStart;

constexpr Element any(std::u32string_view members) { return {0, members}; }
constexpr Element any(Traits traits, std::u32string_view members = {}) { return {traits, members}; }
constexpr Element word_character() { return {0, {}, Element::Condition::kWordCharacter}; }
constexpr Element no_ascii_letter() { return {0, {}, Element::Condition::kNoAsciiLetter}; }
constexpr Element no_line_feed() { return {0, {}, Element::Condition::kNoLineFeed}; }

constexpr Element kArabicLead = any(U"ØÙ");
constexpr Element kArabicNext = any(kAfterArabicLead, U"ŸŠ®°µ»");

// BADNESS_RE of ftfy 6.3.1's badness.py, alternative by alternative.
constexpr Rule kRules[] = {
    {{any(kC1)}},
    {{any(kBad | kSign), any(kBad)}},
    {{any(kLetter), any(kCommonLetter), any(kBad)}, 1},
    {{any(kBad), any(kSign)}},
    {{any(kLowerAccented | kLowerCommon | kBox | kEnd | kCurrency | kNumeric),
      any(kUpperAccented)}},
    {{any(kBox | kEnd | kCurrency | kNumeric), any(kLowerAccented)}},
    {{any(kLowerAccented | kBox | kEnd), any(kCurrency)}},
    {{any(kSpace), any(kUpperAccented), any(kCurrency)}, 1},
    {{any(kUpperAccented | kBox), any(kNumeric | kLaw)}},
    {{any(kAccented | kBox | kCurrency | kEnd), any(kStart), any(kNumeric)}},
    {{any(kAccented | kCurrency | kNumeric | kBox | kLaw), any(kEnd), any(kStart)}},
    {{any(kCurrency | kNumeric | kBox), any(kStart)}},
    {{any(kLowerAscii), any(kUpperAccented), any(kStart | kCurrency)}, 1},
    {{any(kBox), any(kKaomoji)}},
    {{any(kAccented | kCurrency | kNumeric | kStart | kEnd | kLaw), any(kBox)}},
    {{any(kBox), any(kEnd)}},
    {{any(kAccented), any(kStart | kEnd), word_character()}},
    // The ligature, when no plain Latin letter follows.
    {{any(U"Œœ"), no_ascii_letter()}},
    // A degree sign after a capital.
    {{any(kUpperAccented), any(U"°")}},
    // Windows-1252, two characters.
    {{any(U"ÂÃÎÐ"), any(kStart | kEnd, U"€œŠš¢£Ÿž\xA0\xAD®©°·»–—´")}},
    {{any(U"×"), any(U"²³")}},
    // Windows-1252 for Arabic: many common characters, so four of them are asked for.
    {{kArabicLead, kArabicNext, kArabicLead, kArabicNext}},
    // Windows-1252 for alphabets of South Asia.
    {{any(U"à"), any(U"²µ¹¼½¾")}},
    // MacRoman.
    {{any(U"√"), any(U"±∂†≠®™´≤≥¥µø")}},
    {{any(U"≈"), any(U"°¢")}},
    {{any(U"‚"), any(U"Ä"), any(U"ìîïòôúùû†°¢π")}},
    {{any(U"‚"), any(U"âó"), any(U"àä°ê")}},
    // Windows-1251 for U+2000 and on.
    {{any(U"в"), any(U"Ђ")}},
    // Windows-1251 for Latin-1 and Cyrillic.
    {{any(U"ВГРС"), any(kBetweenCapitals, U"°µ"), any(U"ВГРС")}},
    // Windows-1251 on top of Latin-1 on top of Windows-1252, near a Latin letter.
    {{any(U"Г"), any(U"ў"), any(U"В"), any(U"Ђ"), any(U"В"), no_line_feed(), any(kLetter, U" ")}},
    // Windows-1252 for letters with accents and for U+00A0 itself.
    {{any(U"Ã"), any(U"\xA0¡")}},
    {{any(kLowerAscii), any(U"ÃÂ"), any(U" ")}, 1},
    {{any(kLowerAscii), any(kSpace), any(U"ÃÂ"), any(U" ")}, 2},
    {{any(U"ÃÂ"), any(U" ")}, 0, true},
    // A character of Latin-1 after the lead byte that UTF-8 gives it.
    {{any(kLowerAscii | kEnd, U".,?!"), any(U"Â"), any(kStart | kEnd, U" ")}, 1},
    // Windows-1253 for U+2000 and on.
    {{any(U"β"), any(U"€"), any(U"™\xA0Ά\xAD®°")}},
    // Windows-1253 for Latin-1 and Greek.
    {{any(U"ΒΓΞΟ"), any(kBetweenCapitals, U"°"), any(U"ΒΓΞΟ")}},
    // Windows-1257 for U+2000 and on.
    {{any(U"ā"), any(U"€")}},
};

bool is_word_character(char32_t c) {
  if (c == U'_') return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

bool takes(const Element& element, char32_t c, Traits traits) {
  switch (element.condition) {
    case Element::Condition::kWordCharacter:
      return is_word_character(c);
    case Element::Condition::kNoAsciiLetter:
      return (traits & kLetter) == 0;
    case Element::Condition::kNoLineFeed:
      return c != U'\n';
    case Element::Condition::kNone:
      break;
  }
  return (element.traits & traits) != 0 || element.members.find(c) != element.members.npos;
}

// Whether `rule` holds in `text` with its anchor at `position`.
bool holds(const Rule& rule, std::u32string_view text, std::size_t position,
           const Characters& characters) {
  if (position < rule.anchor || (rule.at_start_of_text && position != rule.anchor)) return false;
  const std::size_t start = position - rule.anchor;
  const auto element_holds = [&](std::size_t index) {
    if (start + index >= text.size()) return false;
    const char32_t c = text[start + index];
    return takes(rule.elements[index], c, characters.of(c));
  };
  for (std::size_t i = rule.anchor; i < kLongestRule && rule.elements[i].is_used(); ++i) {
    if (!element_holds(i)) return false;
  }
  for (std::size_t i = 0; i < rule.anchor; ++i) {
    if (!element_holds(i)) return false;
  }
  return true;
}

// Whether any rule may hold with `c` as its anchor and `next` after it: tells from most text, above
// all from Greek and Cyrillic, that none does.
bool may_be_bad(char32_t c, Traits traits, char32_t next, Traits next_traits) {
  constexpr Traits kNoCommonLetter = kMojibake & ~kCommonLetter;
  constexpr std::u32string_view kAnchorsBeforeOthers = U"ŒœÃÂ";  // of rules with plain text next
  constexpr std::u32string_view kCommonLettersNext = U"Ђўπ";     // that a rule has after its anchor
  if ((traits & kMojibake) == 0) return false;
  if ((traits & kC1) != 0 || (next_traits & kNoCommonLetter) != 0) return true;
  return kAnchorsBeforeOthers.find(c) != kAnchorsBeforeOthers.npos ||
         kCommonLettersNext.find(next) != kCommonLettersNext.npos;
}

}  // namespace

bool is_bad(std::u32string_view text) {
  if (text.empty()) return false;
  const Characters& all = characters();
  Traits traits = all.of(text[0]);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char32_t next = i + 1 < text.size() ? text[i + 1] : U'\0';
    const Traits next_traits = all.of(next);
    const bool bad = may_be_bad(text[i], traits, next, next_traits) &&
                     std::any_of(std::begin(kRules), std::end(kRules),
                                 [&](const Rule& rule) { return holds(rule, text, i, all); });
    if (bad) return true;
    traits = next_traits;
  }
  return false;
}

}  // namespace rr::internal
