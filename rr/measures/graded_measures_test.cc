#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "rr/measures/binary_preference.h"
#include "rr/measures/expected_reciprocal_rank.h"
#include "rr/measures/ndcg.h"
#include "rr/measures/precision.h"

// Values of ir_measures 0.4.3 (gdeval prints five decimals; bpref is trec_eval's), and sums by
// hand.

namespace rr {
namespace {

std::vector<Docid> ranking_of(std::string_view letters) {
  std::vector<Docid> ranking;
  for (const char letter : letters) ranking.emplace_back(std::string(1, letter));
  return ranking;
}

const TopicQrels kMany = {{Docid("a"), 3}, {Docid("b"), 1}, {Docid("c"), 0}, {Docid("d"), -1},
                          {Docid("e"), 4}, {Docid("f"), 0}, {Docid("g"), 2}};
const TopicQrels kFew = {{Docid("a"), 1}, {Docid("b"), 0}, {Docid("c"), 2}};

const JudgedRanking kLong = judge(ranking_of("cxbfazgd"), kMany);
const JudgedRanking kShort = judge(ranking_of("xyc"), kFew);
const JudgedRanking kEmpty = judge({}, kMany);

TEST(Judge, LooksEachDocumentUp) {
  EXPECT_EQ(kShort.grades, (std::vector<int>{kUnjudged, kUnjudged, 2}));
  EXPECT_EQ(kMany.size(), kLong.judgements.size());
  EXPECT_EQ(kLong.judgements.front(), 4);
  EXPECT_EQ(kLong.judgements.back(), -1);
}

TEST(ExponentialNdcg, IsGdevals) {
  EXPECT_NEAR(exponential_ndcg_at(10, kLong), 0.19712, 5e-6);
  EXPECT_NEAR(exponential_ndcg_at(3, kLong), 0.0239, 5e-6);
  EXPECT_NEAR(exponential_ndcg_at(10, kShort), 0.41312, 5e-6);
  // (2^2 - 1) / log2(4) over 3 / log2(2) + 1 / log2(3)
  EXPECT_NEAR(exponential_ndcg_at(10, kShort), 1.5 / (3 + 1 / std::log2(3)), 1e-12);
}

TEST(ExponentialNdcg, AGradeOfAnySizeIsANumber) {
  const TopicQrels qrels = {{Docid("a"), 2'000'000'000}, {Docid("b"), 1}};
  EXPECT_NEAR(exponential_ndcg_at(10, judge(ranking_of("ab"), qrels)), 1, 1e-12);
}

TEST(ExpectedReciprocalRank, IsGdevals) {
  EXPECT_NEAR(expected_reciprocal_rank_at(10, kLong), 0.11699, 5e-6);
  EXPECT_NEAR(expected_reciprocal_rank_at(3, kLong), 0.02083, 5e-6);
  // Third, and stops with chance 3/16.
  EXPECT_NEAR(expected_reciprocal_rank_at(10, kShort), 1.0 / 3 * 3 / 16, 1e-15);
  EXPECT_EQ(expected_reciprocal_rank_at(2, kShort), 0);
  EXPECT_EQ(expected_reciprocal_rank_at(2, kEmpty), 0);
}

TEST(BinaryPreference, IsTrecEvals) {
  // R = 4, N = 2 ("d" is in the pool and not judged). One of the two stands above "b", both above
  // "a" and "g": (1 - 1/2 + 0 + 0) / 4.
  EXPECT_DOUBLE_EQ(binary_preference(kLong), 0.125);
  EXPECT_DOUBLE_EQ(binary_preference(kLong, 2), 0);
  EXPECT_DOUBLE_EQ(binary_preference(kShort), 0.5);
  EXPECT_DOUBLE_EQ(binary_preference(kShort, 2), 1);
  EXPECT_EQ(binary_preference(kEmpty), 0);
}

TEST(BinaryPreference, WithoutRelevantDocumentsIsZero) {
  EXPECT_EQ(binary_preference(kLong, 5), 0);
  EXPECT_EQ(binary_preference(judge(ranking_of("ab"), {})), 0);
}

TEST(Judged, CountsAnyGradeOverTheDocumentsThatAreThere) {
  EXPECT_DOUBLE_EQ(judged_at(3, kLong), 2.0 / 3);
  EXPECT_DOUBLE_EQ(judged_at(10, kLong), 0.75);
  EXPECT_DOUBLE_EQ(judged_at(10, kShort), 1.0 / 3);
  EXPECT_EQ(judged_at(10, kEmpty), 0);
}

}  // namespace
}  // namespace rr
