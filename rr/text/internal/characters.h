#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace rr::internal {

// What the repair of text must know of a character: a set of the bits below.
using Traits = std::uint32_t;

// The kinds of character that turn up when UTF-8 is read with a wrong encoding (ftfy's
// MOJIBAKE_CATEGORIES). A character may be of two kinds.
inline constexpr Traits kCommon = 1u << 0;  // in many contexts: no sign of anything
inline constexpr Traits kC1 = 1u << 1;      // control characters U+0080 to U+009F
inline constexpr Traits kBad = 1u << 2;     // hardly ever meant
inline constexpr Traits kLaw = 1u << 3;
inline constexpr Traits kCurrency = 1u << 4;
inline constexpr Traits kStart = 1u << 5;  // punctuation that starts something
inline constexpr Traits kEnd = 1u << 6;    // punctuation that ends something
inline constexpr Traits kNumeric = 1u << 7;
inline constexpr Traits kKaomoji = 1u << 8;  // letters that faces are made of
inline constexpr Traits kUpperAccented = 1u << 9;
inline constexpr Traits kLowerAccented = 1u << 10;
inline constexpr Traits kUpperCommon = 1u << 11;
inline constexpr Traits kLowerCommon = 1u << 12;
inline constexpr Traits kBox = 1u << 13;
inline constexpr Traits kMojibake = (1u << 14) - 1;  // any of the above

inline constexpr Traits kUpperAscii = 1u << 14;
inline constexpr Traits kLowerAscii = 1u << 15;
inline constexpr Traits kSpace = 1u << 16;  // Unicode white space as Python's \s

// What a byte of a UTF-8 sequence looks like when read with a wrong encoding (ftfy's UTF8_CLUES).
inline constexpr Traits kFirstOf2 = 1u << 17;
inline constexpr Traits kFirstOf3 = 1u << 18;
inline constexpr Traits kFirstOf4 = 1u << 19;
inline constexpr Traits kContinuation = 1u << 20;
inline constexpr Traits kStrictContinuation = 1u << 21;  // seldom stands for itself there

// What a step of the repair replaces.
inline constexpr Traits kLigature = 1u << 22;
inline constexpr Traits kWide = 1u << 23;
inline constexpr Traits kCurlyQuote = 1u << 24;
inline constexpr Traits kLineBreak = 1u << 25;  // other than "\n"
inline constexpr Traits kControl = 1u << 26;
inline constexpr Traits kNormalise = 1u << 27;  // form C may change it or what stands before it
inline constexpr Traits kNeedsFix =
    kC1 | kLigature | kWide | kCurlyQuote | kLineBreak | kControl | kNormalise;

// The traits of all characters, in two levels: code points in blocks of 128, and equal blocks (most
// have no traits at all) stored once.
class Characters {
 public:
  Characters();

  // 0 for what is no code point.
  Traits of(char32_t c) const {
    return c < kNumCodePoints ? blocks_[block_of_[c / kBlockSize]][c % kBlockSize] : 0;
  }

  // The traits that any character of `text` has.
  Traits traits_of(std::u32string_view text) const {
    Traits traits = 0;
    for (const char32_t c : text) traits |= of(c);
    return traits;
  }

 private:
  static constexpr std::size_t kNumCodePoints = 0x110000;
  static constexpr std::size_t kBlockSize = 128;

  void add(char32_t first, char32_t last, Traits traits);

  std::array<std::uint8_t, kNumCodePoints / kBlockSize> block_of_{};
  std::vector<std::array<Traits, kBlockSize>> blocks_;
};

// Made at the first call.
const Characters& characters();

}  // namespace rr::internal
