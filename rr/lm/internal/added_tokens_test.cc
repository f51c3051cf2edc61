#include "rr/lm/internal/added_tokens.h"

#include <gtest/gtest.h>

namespace rr::internal {
namespace {

const AddedTokens kTokens({{"<|im_end|>", 1}, {"<|im_end|>x", 2}, {"<|", 3}, {"\xC3\xA9", 4}});

TEST(AddedTokens, FindsTheLeftmostAndThenTheLongest) {
  const auto match = kTokens.find_next("a <|im_end|>xy", 0);
  ASSERT_TRUE(match.has_value());
  EXPECT_EQ(match->id, 2);
  EXPECT_EQ(match->begin, 2u);
  EXPECT_EQ(match->end, 13u);
}

TEST(AddedTokens, FallsBackToAShorterOne) {
  const auto match = kTokens.find_next("<|im_end", 0);
  ASSERT_TRUE(match.has_value());
  EXPECT_EQ(match->id, 3);
  EXPECT_EQ(match->end, 2u);
}

TEST(AddedTokens, FindsBytesAboveAscii) { EXPECT_EQ(kTokens.find_next("caf\xC3\xA9", 0)->id, 4); }

TEST(AddedTokens, FindsNothingWhereNothingStands) {
  EXPECT_FALSE(kTokens.find_next("< |im_end|>", 0).has_value());
  EXPECT_FALSE(kTokens.find_next("<|", 1).has_value());
  EXPECT_FALSE(AddedTokens().find_next("<|im_end|>", 0).has_value());
}

TEST(AddedTokens, FindsExactTextsOnly) {
  EXPECT_EQ(kTokens.find_exact("<|im_end|>"), 1);
  EXPECT_FALSE(kTokens.find_exact("<|im_end|").has_value());
  EXPECT_FALSE(kTokens.find_exact("").has_value());
}

}  // namespace
}  // namespace rr::internal
