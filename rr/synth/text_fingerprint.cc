#include "rr/synth/text_fingerprint.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "rr/base/check.h"
#include "rr/base/utf8.h"

namespace rr {
namespace {

constexpr std::uint64_t kFnvOffset = 0xcbf29ce484222325U;
constexpr std::uint64_t kFnvPrime = 0x100000001b3U;

// The finaliser of MurmurHash3 (Appleby): every bit of the input moves every bit of the output.
std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdU;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53U;
  return x ^ (x >> 33);
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Word characters of ASCII in lower case; 0 separates words.
constexpr std::array<char, 128> kAsciiWords = [] {
  std::array<char, 128> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = c;
  for (char c = 'a'; c <= 'z'; ++c) {
    table[static_cast<std::size_t>(c)] = c;
    table[static_cast<std::size_t>(c - 'a' + 'A')] = c;
  }
  return table;
}();

std::string ascii_words(std::string_view text) {
  std::string words;
  words.reserve(text.size());
  bool gap = false;
  for (const char c : text) {
    const char folded = kAsciiWords[static_cast<unsigned char>(c)];
    if (folded == 0) {
      gap = true;
      continue;
    }
    if (gap && !words.empty()) words += ' ';
    gap = false;
    words += folded;
  }
  return words;
}

bool is_word_character(char32_t code_point) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

// NFKC_Casefold; a text that is no UTF-8 is repaired first.
std::string folded(std::string_view text) {
  const std::string valid = repair_utf8(text).text;
  utf8proc_uint8_t* bytes = nullptr;
  const auto options = static_cast<utf8proc_option_t>(
      UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(valid.data()),
                   static_cast<utf8proc_ssize_t>(valid.size()), &bytes, options);
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(bytes, &std::free);
  RR_CHECK(size >= 0, "utf8proc folds every valid text");
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

}  // namespace

std::string words_of(std::string_view text) {
  if (is_ascii(text)) return ascii_words(text);
  const std::string clean = folded(text);
  std::string words;
  words.reserve(clean.size());
  bool gap = false;
  for (std::size_t at = 0; at < clean.size();) {
    const DecodedCodePoint decoded = decode_code_point(clean, at);
    if (is_word_character(decoded.code_point)) {
      if (gap && !words.empty()) words += ' ';
      gap = false;
      words.append(clean, at, decoded.length);
    } else {
      gap = true;
    }
    at += decoded.length;
  }
  return words;
}

std::uint64_t hash_of(std::string_view words) {
  std::uint64_t hash = kFnvOffset;
  for (const char c : words) hash = (hash ^ static_cast<unsigned char>(c)) * kFnvPrime;
  return mix(hash);
}

std::vector<std::uint64_t> ngram_hashes(std::string_view words, std::size_t n) {
  RR_CHECK(n >= 1, "a run has a word");
  std::vector<std::uint64_t> each;  // of each word
  for (std::size_t begin = 0; begin < words.size();) {
    const std::size_t end = std::min(words.find(' ', begin), words.size());
    each.push_back(hash_of(words.substr(begin, end - begin)));
    begin = end + 1;
  }
  std::vector<std::uint64_t> hashes;
  if (each.size() < n) return hashes;
  hashes.reserve(each.size() - n + 1);
  // A polynomial over the words' hashes, modulo 2^64, rolled along.
  std::uint64_t leading = 1;
  for (std::size_t i = 1; i < n; ++i) leading *= kFnvPrime;
  std::uint64_t rolled = 0;
  for (std::size_t i = 0; i < each.size(); ++i) {
    if (i >= n) rolled -= leading * each[i - n];
    rolled = rolled * kFnvPrime + each[i];
    if (i + 1 >= n) hashes.push_back(mix(rolled));
  }
  return hashes;
}

MinHash min_hash(std::string_view words) {
  RR_CHECK(!words.empty(), "a fingerprint needs words");
  constexpr std::size_t kShingle = 5;
  constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  std::array<std::uint64_t, kMinHashPlaces> least;
  least.fill(kEmpty);
  const auto add = [&least](std::uint64_t shingle) {
    const std::uint64_t hash = mix(shingle * 0x9e3779b97f4a7c15U);
    std::uint64_t& place = least[hash >> 57];  // the upper 7 bits choose the bin
    place = std::min(place, hash & (kEmpty >> 7));
  };
  std::uint64_t window = 0;  // the last bytes; of 5 the lower 40 bits
  for (std::size_t i = 0; i < words.size(); ++i) {
    window = (window << 8 | static_cast<unsigned char>(words[i])) & 0xffffffffffU;
    if (i + 1 >= kShingle) add(window);
  }
  if (words.size() < kShingle) add(window);

  MinHash result;
  for (std::size_t place = 0; place < kMinHashPlaces; ++place) {
    std::uint64_t from = place;
    for (std::uint64_t attempt = 1; least[from] == kEmpty; ++attempt) {
      from = mix(place << 32 | attempt) % kMinHashPlaces;
    }
    result[place] = static_cast<std::uint16_t>(mix(least[from]));
  }
  return result;
}

double similarity(const MinHash& a, const MinHash& b) {
  std::size_t equal = 0;
  for (std::size_t i = 0; i < kMinHashPlaces; ++i) equal += a[i] == b[i] ? 1U : 0U;
  return static_cast<double>(equal) / static_cast<double>(kMinHashPlaces);
}

}  // namespace rr
