#include "rr/ir/id_spelling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "rr/base/random.h"

namespace rr {
namespace {

TEST(IdSpelling, EncodesBlanksAndOnlyWhereThereAreAny) {
  EXPECT_EQ(spell_id("FR940202-2-00150"), "FR940202-2-00150");
  EXPECT_EQ(spell_id("functions/Memory Management_2_0.txt"),
            "functions/Memory%20Management_2_0.txt");
  EXPECT_EQ(spell_id("a\tb\nc\x7F"), "a%09b%0Ac%7F");
  EXPECT_EQ(spell_id("100% b"), "100%25%20b");
  EXPECT_EQ(spell_id("100%"), "100%");
  EXPECT_EQ(spell_id("Zürich"), "Zürich");
}

TEST(IdSpelling, AnIdThatLooksEncodedIsToldFromOneThatWas) {
  EXPECT_EQ(spell_id("a%20b"), "a%2520b");
  EXPECT_EQ(read_spelling("a%20b"), "a b");
  EXPECT_EQ(read_spelling("a%2520b"), "a%20b");
  EXPECT_EQ(read_spelling("a%252520b"), "a%2520b");
}

TEST(IdSpelling, WhatTheWriterNeverWritesStandsForItself) {
  for (const char* text : {"100%", "100%25", "50%off", "a%2Fb", "a%2Fb%20c", "a%0ab", "%", "%2",
                           "%%20", "a b%20c", "%25%2F"}) {
    EXPECT_EQ(read_spelling(text), text);
  }
}

// Texts of the pieces that matter to the encoding, in every mixture.
std::string random_text(RandomStream& random) {
  constexpr const char* kPieces[] = {"%", "2", "5", "0", "20", "25", "%20", "%25", "%0A", "a", "F"};
  std::string text;
  const std::uint64_t size = 1 + random.below(8);
  for (std::uint64_t i = 0; i < size; ++i) text += kPieces[random.below(std::size(kPieces))];
  return text;
}

TEST(IdSpelling, EveryIdComesBackFromItsSpelling) {
  RandomStream random(1, 0);
  for (int i = 0; i < 100'000; ++i) {
    std::string id = random_text(random);
    if (random.below(2) == 0) id[random.below(id.size())] = ' ';
    const std::string spelling = spell_id(id);
    ASSERT_EQ(read_spelling(spelling), id) << spelling;
    ASSERT_EQ(spelling.find(' '), std::string::npos);
  }
}

TEST(IdSpelling, AFileIsCopiedWithoutChangingItsIds) {
  RandomStream random(2, 0);
  for (int i = 0; i < 100'000; ++i) {
    const std::string text = random_text(random);
    ASSERT_EQ(spell_id(read_spelling(text)), text);
  }
}

TEST(IdSpelling, TakesTimeInProportionToTheLength) {
  constexpr int kLevels = 500'000;
  std::string text = "%";
  for (int i = 0; i < kLevels; ++i) text += "25";
  EXPECT_TRUE(read_spelling(text) == text);
  text += "20";
  EXPECT_EQ(read_spelling(text).size(), text.size() - 2);
}

}  // namespace
}  // namespace rr
