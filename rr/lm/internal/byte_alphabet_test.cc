#include "rr/lm/internal/byte_alphabet.h"

#include <gtest/gtest.h>

namespace rr::internal {
namespace {

TEST(ByteAlphabet, WritesBlanksAndLineBreaksAsGpt2Does) {
  EXPECT_EQ(to_byte_alphabet(" a\n\t!"), "\u0120a\u010A\u0109!");
  EXPECT_EQ(to_byte_alphabet(std::string("\0\x7F\xAD\xFF", 4)), "\u0100\u0121\u0143\u00FF");
}

TEST(ByteAlphabet, GivesEveryByteBack) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  std::string bytes = "x";
  EXPECT_TRUE(append_bytes_of_alphabet(to_byte_alphabet(all), bytes));
  EXPECT_EQ(bytes, "x" + all);
}

TEST(ByteAlphabet, TakesNoCharacterOutsideOfIt) {
  std::string bytes = "x";
  EXPECT_FALSE(append_bytes_of_alphabet("a b", bytes));      // a raw blank
  EXPECT_FALSE(append_bytes_of_alphabet("a\u0144", bytes));  // the first beyond
  EXPECT_FALSE(append_bytes_of_alphabet("a\xC4", bytes));    // no UTF-8
  EXPECT_EQ(bytes, "x");
}

}  // namespace
}  // namespace rr::internal
