#include "rr/synth/consistency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace rr {
namespace {

// "abc": documents a, b and c.
std::vector<Docid> docids(const std::string& letters) {
  std::vector<Docid> list;
  for (const char letter : letters) list.emplace_back(std::string(1, letter));
  return list;
}

Sample sample_of(const std::string& order, const std::string& relevant,
                 const std::string& dataset = "d") {
  Sample sample;
  sample.dataset = dataset;
  sample.qid = Qid(order + relevant);
  sample.initial_list = docids("abcdefghijkl");
  sample.final_list = docids(order);
  sample.relevant = docids(relevant);
  return sample;
}

TEST(Consistency, OnePositiveIsKeptDownToRankFour) {
  // One relevant document at rank r gives 1 / log2(r + 1).
  EXPECT_NEAR(consistency_of(sample_of("bcdaefghijkl", "a")), 1 / std::log2(5), 1e-12);
  EXPECT_TRUE(is_consistent(sample_of("bcdaefghijkl", "a"), kPublishedThreshold));   // 0.431
  EXPECT_FALSE(is_consistent(sample_of("bcdeafghijkl", "a"), kPublishedThreshold));  // 0.387
  EXPECT_EQ(consistency_of(sample_of("bcdefghijkla", "a")), 0);  // rank 12 is below the cutoff
}

TEST(Consistency, TwoPositivesAtRanksOneAndEleven) {
  // DCG 1, ideal 1 + 1/log2(3): the 0.61 of the published paper's example.
  const Sample sample = sample_of("abcdefghijkl", "ak");
  EXPECT_NEAR(consistency_of(sample), 1 / (1 + 1 / std::log2(3)), 1e-12);
}

TEST(Consistency, ASampleExactlyAtTheThresholdIsKept) {
  const Sample sample = sample_of("bcdaefghijkl", "a");
  EXPECT_TRUE(is_consistent(sample, consistency_of(sample)));
}

TEST(Consistency, TheReportCountsEachDataSet) {
  Sample unranked = sample_of("", "a", "x");
  unranked.qid = Qid("unranked");
  const std::vector<Sample> samples = {
      sample_of("abcdefghijkl", "a", "x"),            // 1
      sample_of("bcdeafghijkl", "a", "x"),            // 0.387
      unranked, sample_of("bacdefghijkl", "a", "y"),  // 0.631
  };
  const ConsistencyReport report = report_consistency(samples, 0.4);
  ASSERT_EQ(report.datasets.size(), 2u);
  const ConsistencyCounts& x = report.datasets[0];
  EXPECT_EQ(x.dataset, "x");
  EXPECT_EQ(x.samples, 3u);
  EXPECT_EQ(x.unranked, 1u);
  EXPECT_EQ(x.kept, 1u);
  EXPECT_EQ(x.dropped(), 2u);
  EXPECT_EQ(x.first_is_negative, 1u);
  EXPECT_NEAR(x.mean, (1 + 1 / std::log2(6)) / 2, 1e-12);
  EXPECT_THAT(x.histogram, ::testing::ElementsAre(0, 0, 0, 1, 0, 0, 0, 0, 0, 1));
  EXPECT_THAT(x.kept_at, ::testing::ElementsAre(2, 2, 2, 1, 1, 1, 1));
  EXPECT_EQ(report.all.samples, 4u);
  EXPECT_EQ(report.all.kept, 2u);
  EXPECT_THAT(report.all.kept_at, ::testing::ElementsAre(3, 3, 3, 2, 2, 2, 1));
}

}  // namespace
}  // namespace rr
