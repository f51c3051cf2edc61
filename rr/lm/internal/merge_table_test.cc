#include "rr/lm/internal/merge_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rr/base/clock.h"
#include "rr/base/random.h"

namespace rr::internal {
namespace {

using testing::ElementsAre;

// The definition, step by step: of all neighbours the merge of the lowest rank, the leftmost first.
TokenIds merged_one_by_one(const MergeTable& table, TokenIds tokens) {
  for (;;) {
    MergeTable::Merge best;
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      const MergeTable::Merge merge = table.find(tokens[i], tokens[i + 1]);
      if (merge.rank >= best.rank) continue;
      best = merge;
      at = i;
    }
    if (best.rank == MergeTable::kNoRank) return tokens;
    tokens[at] = best.token;
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

TEST(MergeTable, TakesTheLowestRankAndThenTheLeftmost) {
  MergeTable table;
  table.append(2, 3, 10);                      // bc
  table.append(1, 2, 11);                      // ab
  table.append(1, 1, 12);                      // aa
  TokenIds tokens = {1, 2, 3, 1, 2, 1, 1, 1};  // a b c a b a a a
  table.apply(tokens);
  EXPECT_THAT(tokens, ElementsAre(1, 10, 11, 12, 1));
}

TEST(MergeTable, MergesLongAndShortWordsAsTheDefinitionSays) {
  RandomStream random(5, 0);
  for (int round = 0; round < 200; ++round) {
    MergeTable table;
    TokenId next = 4;  // 0..3 are letters
    for (int i = 0; i < 40; ++i) {
      const auto any = [&] {
        return static_cast<TokenId>(random.below(static_cast<std::size_t>(next)));
      };
      const TokenId left = any();
      const TokenId right = any();
      table.append(left, right, next++);
    }
    for (const std::size_t size : {1u, 2u, 7u, 48u, 49u, 200u}) {
      TokenIds tokens;
      for (std::size_t i = 0; i < size; ++i)
        tokens.push_back(static_cast<TokenId>(random.below(4)));
      const TokenIds expected = merged_one_by_one(table, tokens);
      table.apply(tokens);
      ASSERT_EQ(tokens, expected) << "word of " << size;
    }
  }
}

TEST(MergeTable, MergesAMillionEqualLettersInAboutASecond) {
  MergeTable table;
  for (TokenId token = 0; token < 6; ++token)
    table.append(token, token, token + 1);  // 1, 2, 4 .. 64
  TokenIds tokens(1 << 20, 0);
  const Clock::time_point begin = Clock::now();
  table.apply(tokens);
  const double seconds = seconds_since(begin);
  EXPECT_EQ(tokens, TokenIds((1 << 20) / 64, 6));
  EXPECT_LT(seconds, 20.0);  // the square of a million would take hours
}

TEST(MergeTable, KeepsTheLaterMergeOfAPair) {
  MergeTable table;
  table.append(1, 2, 3);
  table.append(1, 2, 4);
  EXPECT_EQ(table.find(1, 2).token, 4);
  EXPECT_EQ(table.find(2, 1).rank, MergeTable::kNoRank);
}

}  // namespace
}  // namespace rr::internal
