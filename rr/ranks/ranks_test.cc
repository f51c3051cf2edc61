#include "rr/ranks/ranks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "rr/ranks/record.h"
#include "rr/ranks/thread_ranks.h"

namespace rr {
namespace {

using ::testing::ElementsAre;

TEST(Record, GivesBackWhatWasPutIn) {
  RecordWriter writer;
  writer.put(1.5);
  writer.put_all(std::vector<float>{1, 2});
  writer.put_all(std::string("a\0b", 3));
  writer.put_all(std::vector<int>());
  writer.put(true);
  const std::string bytes = std::move(writer).take();
  RecordReader reader(bytes);
  EXPECT_EQ(reader.get<double>(), 1.5);
  EXPECT_THAT(reader.get_all<std::vector<float>>(), ElementsAre(1, 2));
  EXPECT_EQ(reader.get_all<std::string>(), std::string("a\0b", 3));
  EXPECT_TRUE(reader.get_all<std::vector<int>>().empty());
  EXPECT_TRUE(reader.get<bool>());
  EXPECT_TRUE(reader.is_at_end());
}

TEST(SingleRank, IsAllThereIs) {
  SingleRank alone;
  std::vector<float> values = {1, 2};
  alone.begin_sum(values);
  alone.finish_sums();
  EXPECT_THAT(values, ElementsAre(1, 2));
  EXPECT_THAT(alone.gather("x"), ElementsAre("x"));
  EXPECT_TRUE(alone.is_first());
  EXPECT_TRUE(agree(alone, ok_status()).ok());
  EXPECT_EQ(agree(alone, Status(Error{Errc::kNotFound, "gone", "a"})).error().to_string(),
            "a: gone");
}

TEST(ThreadRanks, SumWhatWasThereWhenTheSumBegan) {
  run_thread_ranks(3, [](Ranks& ranks) {
    const auto own = static_cast<float>(ranks.rank() + 1);
    std::vector<float> values = {own, 10 * own, -own};
    for (std::size_t round = 0; round < 5; ++round) {
      values = {own, 10 * own, -own};
      ranks.begin_sum(std::span(values).subspan(1));
      ranks.begin_sum(std::span(values).first(1));
      values[1] += 100;  // too late
      ranks.finish_sums();
      EXPECT_THAT(values, ElementsAre(6, 60, -6));
    }
  });
}

TEST(ThreadRanks, GatherInTheOrderOfRanks) {
  run_thread_ranks(3, [](Ranks& ranks) {
    for (std::size_t round = 0; round < 5; ++round) {
      EXPECT_THAT(ranks.gather(std::string(ranks.rank(), 'x')), ElementsAre("", "x", "xx"));
    }
  });
}

TEST(ThreadRanks, FailTogetherWhereOneFails) {
  run_thread_ranks(3, [](Ranks& ranks) {
    Result<std::string> mine = std::string("fine");
    if (ranks.rank() > 0) mine = Error{Errc::kUnavailable, "the disk is full", "x"};
    const auto all = exchange(ranks, mine);
    ASSERT_FALSE(all.ok());
    EXPECT_EQ(all.error().code, Errc::kUnavailable);
    EXPECT_EQ(all.error().to_string(), "x: the disk is full (on rank 1 of 3)");
    const Status same = agree(ranks, Status(Error{Errc::kRejected, "no", ""}));
    EXPECT_EQ(same.error().to_string(), "no");
    EXPECT_TRUE(agree(ranks, ok_status()).ok());
    EXPECT_TRUE(have_same(ranks, "a"));
    EXPECT_FALSE(have_same(ranks, ranks.rank() == 2 ? "b" : "a"));
  });
}

}  // namespace
}  // namespace rr
