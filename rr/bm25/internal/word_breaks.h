#pragma once

#include <cstddef>
#include <string_view>

namespace rr::internal {

// The words of a text as Lucene 9's StandardTokenizer finds them: the word boundaries of UAX #29
// over the character properties of Unicode 9, a Han or Hiragana character by itself, a run of
// South-East Asian letters as one word, emoji (with them the signs (C), (R) and TM) as words. What
// has no letter, digit, ideograph or emoji is no word.
struct Word {
  std::size_t begin = 0;
  std::size_t end = 0;  // one past the last byte; begin == end: no more words
};

// Lucene cuts a word after so many UTF-16 units and goes on with the rest.
inline constexpr std::size_t kMaxWordUnits = 255;

// The first word that starts at `from` or later. Requires valid UTF-8 and from <= text.size().
Word next_word(std::string_view text, std::size_t from);

// The same without the short cut for plain ASCII, which it is tested against.
Word next_word_by_rules(std::string_view text, std::size_t from);

}  // namespace rr::internal
