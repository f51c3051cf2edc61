#pragma once

#include <string>

namespace rr::internal {

// Stems a lower-case word in place: M. F. Porter, "An algorithm for suffix stripping", Program
// 14(3), 1980, with the author's two later departures ("bli" becomes "ble", "logi" becomes "log")
// and words of up to two characters left alone. Lucene's PorterStemFilter does so; libstemmer's
// "porter" has neither the departures nor the limit.
// Every character but the vowels a e i o u, and y after a consonant, counts as a consonant. In
// UTF-16, where Lucene counts.
void porter_stem(std::u16string& word);

}  // namespace rr::internal
