#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What two texts have in common, whatever their case, punctuation and spacing.

namespace rr {

// The words of a text: runs of letters, marks and digits of any script, after Unicode compatibility
// folding (NFKC_Casefold), joined by one blank. "What's «ﬁne», A-B?" -> "what s fine a b". Two
// texts are equal but for case, punctuation and spacing iff their words are equal. Invalid UTF-8
// separates words.
std::string words_of(std::string_view text);

// 64 bits that texts of equal words share, and others practically never (FNV-1a, mixed).
std::uint64_t hash_of(std::string_view words);

// The hash of each run of n words, in order; none for fewer than n words. `words` as words_of()
// gives them. Requires n >= 1.
std::vector<std::uint64_t> ngram_hashes(std::string_view words, std::size_t n);

// MinHash of the text's 5-character shingles (Broder, 1997), one permutation hashed into bins that
// borrow from others where they are empty (Shrivastava, "Optimal densification for fast and
// accurate minwise hashing", ICML 2017). The share of equal places estimates the Jaccard similarity
// of two texts' shingle sets, with a standard deviation of sqrt(j (1 - j) / 128) or less.
inline constexpr std::size_t kMinHashPlaces = 128;
using MinHash = std::array<std::uint16_t, kMinHashPlaces>;

// `words` as words_of() gives them; a text of fewer than 5 bytes is one shingle. Requires words.
MinHash min_hash(std::string_view words);

// The share of places in which they are equal, in [0, 1]; chance alone makes 1 in 65,536 so.
double similarity(const MinHash& a, const MinHash& b);

}  // namespace rr
