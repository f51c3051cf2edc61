#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rr/bm25/internal/word_table.h"

namespace rr {

// Makes index terms of English text exactly as Lucene 9's EnglishAnalyzer with Porter's stemmer,
// which Anserini uses by default: words by UAX #29 (StandardTokenizer), a possessive 's dropped,
// lower case, the 33 stop words left out, stemmed. The query goes the same way as the passages.
//
// Remembers the words that it has seen and gives their terms numbers, from 0 on. Not thread-safe:
// one a thread.
class EnglishAnalyzer {
 public:
  // The terms of `text` in their order, repetitions and all. Text that is not UTF-8 must have been
  // repaired. The terms stay valid until the next call.
  const std::vector<std::string_view>& terms_of(std::string_view text);

  // The same as the terms' numbers, valid until forget().
  const std::vector<std::uint32_t>& numbers_of(std::string_view text);

  // Requires number < num_terms().
  std::string_view term(std::uint32_t number) const { return terms_.word(number); }
  std::size_t num_terms() const { return terms_.size(); }

  std::size_t memory_bytes() const;

  // Starts the numbers from 0 again.
  void forget();

 private:
  void add_word(std::string_view word);

  internal::WordTable words_;           // as they stand in texts
  std::vector<std::uint32_t> term_of_;  // of each; kStopWord
  internal::WordTable terms_;
  std::vector<std::uint32_t> numbers_;
  std::vector<std::string_view> text_terms_;
};

}  // namespace rr
