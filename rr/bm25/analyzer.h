#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rr {

// Makes index terms of English text exactly as Lucene 9's EnglishAnalyzer with Porter's stemmer,
// which Anserini uses by default: words by UAX #29 (StandardTokenizer), a possessive 's dropped,
// lower case, the 33 stop words left out, stemmed. The query goes the same way as the passages.
//
// Remembers the stems of words that it has seen. Not thread-safe: one a thread.
class EnglishAnalyzer {
 public:
  // The terms of `text` in their order, repetitions and all. Text that is not UTF-8 must have been
  // repaired. The terms stay valid until the next call.
  const std::vector<std::string_view>& terms_of(std::string_view text);

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Stems = std::unordered_map<std::string, std::string, TextHash, std::equal_to<>>;

  void add_term(std::string_view word);

  Stems stems_;  // of words as they stand in the text; an empty stem: a stop word
  std::string folded_;
  std::vector<std::string_view> terms_;
};

}  // namespace rr
