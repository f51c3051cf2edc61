#include "rr/text/internal/characters.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <set>
#include <string>

#include "rr/text/internal/code_points.h"

namespace rr::internal {
namespace {

constexpr char32_t kEndOfUnicode = 0x110000;

bool is_surrogate(char32_t c) { return c >= 0xD800 && c <= 0xDFFF; }

std::u32string normalised(char32_t c, utf8proc_uint8_t* (*form)(const utf8proc_uint8_t*)) {
  std::string utf8;
  append_code_points(utf8, std::u32string(1, c));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> result(
      form(reinterpret_cast<const utf8proc_uint8_t*>(utf8.c_str())), &std::free);
  return to_code_points(reinterpret_cast<const char*>(result.get()));
}

// Characters that normalisation may change, reorder, or join to the one before them.
std::set<char32_t> characters_that_are_not_inert() {
  std::set<char32_t> found;
  for (char32_t c = 1; c < kEndOfUnicode; ++c) {
    if (is_surrogate(c)) continue;
    if (utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class != 0) {
      found.insert(c);
    }
    const std::u32string apart = normalised(c, utf8proc_NFD);
    if (apart.size() == 1 && apart[0] == c) continue;
    const bool composes = normalised(c, utf8proc_NFC) == std::u32string(1, c);
    found.insert(composes ? apart.back() : c);
  }
  return found;
}

TEST(Characters, NormalisationIsAskedForWhereverItMayChangeText) {
  for (const char32_t c : characters_that_are_not_inert()) {
    EXPECT_NE(characters().of(c) & kNormalise, 0u) << std::hex << static_cast<unsigned>(c);
  }
}

TEST(Characters, MostTextNeedsNoNormalisation) {
  // By blocks of the Unicode standard: Latin, Cyrillic letters, kana, CJK ideographs, hangul.
  for (const auto& [first, last] :
       {std::pair{0x20u, 0x2FFu}, std::pair{0x400u, 0x482u}, std::pair{0x3041u, 0x3096u},
        std::pair{0x4E00u, 0x9FFFu}, std::pair{0xAC00u, 0xD7A3u}}) {
    for (char32_t c = first; c <= last; ++c) {
      EXPECT_EQ(characters().of(c) & kNormalise, 0u) << std::hex << static_cast<unsigned>(c);
    }
  }
}

TEST(Characters, ClassesHaveTheSizesOfTheirDefinitions) {
  // Counted by ftfy's own regular expressions, \s by Python's.
  const auto count = [](Traits trait) {
    int members = 0;
    for (char32_t c = 0; c < kEndOfUnicode; ++c) members += (characters().of(c) & trait) != 0;
    return members;
  };
  EXPECT_EQ(count(kCommon), 9);
  EXPECT_EQ(count(kC1), 32);
  EXPECT_EQ(count(kBad), 20);
  EXPECT_EQ(count(kLaw), 2);
  EXPECT_EQ(count(kCurrency), 5);
  EXPECT_EQ(count(kStart), 13);
  EXPECT_EQ(count(kEnd), 6);
  EXPECT_EQ(count(kNumeric), 25);
  EXPECT_EQ(count(kKaomoji), 24);
  EXPECT_EQ(count(kUpperAccented), 58);
  EXPECT_EQ(count(kLowerAccented), 52);
  EXPECT_EQ(count(kUpperCommon), 82);
  EXPECT_EQ(count(kLowerCommon), 78);
  EXPECT_EQ(count(kBox), 45);
  EXPECT_EQ(count(kFirstOf2), 124);
  EXPECT_EQ(count(kFirstOf3), 66);
  EXPECT_EQ(count(kFirstOf4), 9);
  EXPECT_EQ(count(kContinuation), 159);
  EXPECT_EQ(count(kStrictContinuation), 147);
  EXPECT_EQ(count(kSpace), 29);
  EXPECT_EQ(count(kLigature), 22);
}

TEST(Characters, WhatIsNoCodePointHasNoTraits) {
  EXPECT_EQ(characters().of(0x110000), 0u);
  EXPECT_EQ(characters().of(0xFFFFFFFF), 0u);
}

}  // namespace
}  // namespace rr::internal
