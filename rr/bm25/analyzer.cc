#include "rr/bm25/analyzer.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <utility>

#include "rr/base/utf8.h"
#include "rr/bm25/internal/porter.h"
#include "rr/bm25/internal/word_breaks.h"

namespace rr {
namespace {

// Lucene's EnglishAnalyzer.ENGLISH_STOP_WORDS_SET.
constexpr std::array<std::u16string_view, 33> kStopWords = {
    u"a",    u"an",   u"and",  u"are",  u"as",   u"at",    u"be",   u"but",   u"by",
    u"for",  u"if",   u"in",   u"into", u"is",   u"it",    u"no",   u"not",   u"of",
    u"on",   u"or",   u"such", u"that", u"the",  u"their", u"then", u"there", u"these",
    u"they", u"this", u"to",   u"was",  u"will", u"with"};

constexpr std::uint32_t kStopWord = internal::WordTable::kNone;

// Words that a caller of terms_of() alone has kept for it: a corpus has no end of rare ones.
constexpr std::size_t kMaxWords = 1U << 18;

std::u16string utf16_of(std::string_view text) {
  std::u16string units;
  for (std::size_t i = 0; i < text.size();) {
    const DecodedCodePoint decoded = decode_code_point(text, i);
    i += decoded.length;
    const char32_t c = decoded.code_point;
    if (c > 0xFFFF) {
      units += static_cast<char16_t>(0xD800 + ((c - 0x10000) >> 10));
      units += static_cast<char16_t>(0xDC00 + ((c - 0x10000) & 0x3FF));
    } else {
      units += static_cast<char16_t>(c);
    }
  }
  return units;
}

std::string utf8_of(std::u16string_view units) {
  std::string text;
  for (std::size_t i = 0; i < units.size(); ++i) {
    char32_t c = units[i];
    if (c >= 0xD800 && c < 0xDC00 && i + 1 < units.size()) {
      c = 0x10000 + ((c - 0xD800) << 10) + (static_cast<char32_t>(units[++i]) - 0xDC00);
    }
    // Half a character can be left where stemming cut a doubled one; Lucene writes it as "?".
    append_utf8(text, c >= 0xD800 && c < 0xE000 ? U'?' : c);
  }
  return text;
}

void drop_possessive(std::u16string& word) {
  const std::size_t n = word.size();
  if (n < 2 || (word[n - 1] != u's' && word[n - 1] != u'S')) return;
  const char16_t mark = word[n - 2];
  if (mark == u'\'' || mark == u'\u2019' || mark == u'\uFF07') word.resize(n - 2);
}

// Each code point by itself, as Java's Character.toLowerCase.
std::string lower_case(std::string_view text) {
  std::string lowered;
  for (std::size_t i = 0; i < text.size();) {
    const DecodedCodePoint decoded = decode_code_point(text, i);
    i += decoded.length;
    append_utf8(lowered,
                static_cast<char32_t>(u_tolower(static_cast<UChar32>(decoded.code_point))));
  }
  return lowered;
}

// The term of a word; empty for a stop word.
std::string stem_of(std::string_view word) {
  std::u16string units = utf16_of(word);
  drop_possessive(units);
  units = utf16_of(lower_case(utf8_of(units)));
  if (std::find(kStopWords.begin(), kStopWords.end(), units) != kStopWords.end()) return "";
  internal::porter_stem(units);
  return utf8_of(units);
}

}  // namespace

void EnglishAnalyzer::add_word(std::string_view word) {
  std::uint32_t number = words_.find(word);
  if (number == internal::WordTable::kNone) {
    number = words_.add(word);
    const std::string stem = stem_of(word);
    term_of_.push_back(stem.empty() ? kStopWord : terms_.add(stem));
  }
  if (term_of_[number] != kStopWord) numbers_.push_back(term_of_[number]);
}

const std::vector<std::uint32_t>& EnglishAnalyzer::numbers_of(std::string_view text) {
  numbers_.clear();
  for (std::size_t from = 0;;) {
    const internal::Word word = internal::next_word(text, from);
    if (word.begin == word.end) return numbers_;
    add_word(text.substr(word.begin, word.end - word.begin));
    from = word.end;
  }
}

const std::vector<std::string_view>& EnglishAnalyzer::terms_of(std::string_view text) {
  if (words_.size() > kMaxWords) forget();
  numbers_of(text);
  text_terms_.clear();
  for (const std::uint32_t number : numbers_) text_terms_.push_back(term(number));
  return text_terms_;
}

std::size_t EnglishAnalyzer::memory_bytes() const {
  return words_.memory_bytes() + terms_.memory_bytes() +
         term_of_.capacity() * sizeof(std::uint32_t);
}

void EnglishAnalyzer::forget() {
  words_.clear();
  terms_.clear();
  term_of_.clear();
}

}  // namespace rr
