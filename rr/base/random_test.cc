#include "rr/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace rr {
namespace {

// Known answers of the Random123 distribution (kat_vectors, philox4x32 10 rounds).
TEST(Philox, GivesThePublishedVectors) {
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, IsUniformAndKeepsStreamsApart) {
  RandomStream stream(7, 1);
  double sum = 0;
  for (int i = 0; i < 20000; ++i) {
    const double value = stream.uniform();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }
  EXPECT_NEAR(sum / 20000, 0.5, 0.01);  // the standard error is 0.002
  EXPECT_NE(RandomStream(7, 1).uniform_at(0), RandomStream(7, 2).uniform_at(0));
  EXPECT_NE(RandomStream(7, 1).uniform_at(0), RandomStream(8, 1).uniform_at(0));
  EXPECT_EQ(RandomStream(7, 1).uniform_at(5), RandomStream(7, 1).uniform_at(5));
}

TEST(RandomStream, BelowCoversItsRangeEvenly) {
  RandomStream stream(1, 0);
  std::vector<int> counts(3, 0);
  for (int i = 0; i < 30000; ++i) ++counts[stream.below(3)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 400);  // 5 standard deviations
}

TEST(StreamOf, IsFnv1a) {
  // The vectors of the hash's authors (draft-eastlake-fnv).
  EXPECT_EQ(stream_of(""), 0xcbf29ce484222325u);
  EXPECT_EQ(stream_of("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(stream_of("foobar"), 0x85944171f73967e8u);
}

TEST(Shuffle, KeepsEveryItem) {
  std::vector<int> items(100);
  std::iota(items.begin(), items.end(), 0);
  std::vector<int> shuffled = items;
  RandomStream stream(3, 0);
  shuffle(shuffled, stream);
  EXPECT_NE(shuffled, items);
  std::sort(shuffled.begin(), shuffled.end());
  EXPECT_EQ(shuffled, items);
}

}  // namespace
}  // namespace rr
