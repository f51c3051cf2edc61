#include "rr/fusion/normalize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace rr {
namespace {

Ranking ranking_with(std::initializer_list<double> scores) {
  Ranking ranking{Qid("1"), {}};
  for (const double score : scores) {
    ranking.docs.push_back({Docid(std::to_string(ranking.docs.size())), score});
  }
  return ranking;
}

void expect_scores(Normalization normalization, std::initializer_list<double> scores,
                   std::initializer_list<double> expected) {
  const std::vector<double> values = normalized_scores(ranking_with(scores), normalization);
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(values[i], expected.begin()[i], 1e-12);
  }
}

TEST(Normalization, NoneLeavesScoresAsTheyAre) {
  expect_scores(Normalization::kNone, {7, -2.5, 0}, {7, -2.5, 0});
}

TEST(Normalization, MinMaxRunsFromZeroToOne) {
  expect_scores(Normalization::kMinMax, {12, 4, 10, 8}, {1, 0, 0.75, 0.5});
  expect_scores(Normalization::kMinMax, {-1, -3}, {1, 0});
}

TEST(Normalization, ZmuvHasMeanZeroAndVarianceOne) {
  // Mean 5, variance (9 + 1 + 1 + 9) / 4 = 5.
  const double root = std::sqrt(5.0);
  expect_scores(Normalization::kZmuv, {8, 6, 4, 2}, {3 / root, 1 / root, -1 / root, -3 / root});
}

TEST(Normalization, EqualScoresHaveNoScale) {
  expect_scores(Normalization::kMinMax, {3, 3}, {1, 1});
  expect_scores(Normalization::kZmuv, {3, 3}, {0, 0});
  expect_scores(Normalization::kZmuv, {0.1, 0.1, 0.1}, {0, 0, 0});
  expect_scores(Normalization::kMinMax, {0}, {1});
  expect_scores(Normalization::kZmuv, {0}, {0});
  expect_scores(Normalization::kMinMax, {}, {});
}

TEST(Normalization, TheLargestNumbersDoNotOverflow) {
  constexpr double kMax = std::numeric_limits<double>::max();
  expect_scores(Normalization::kMinMax, {kMax, 0, -kMax}, {1, 0.5, 0});
  expect_scores(Normalization::kZmuv, {kMax, -kMax}, {1, -1});
}

}  // namespace
}  // namespace rr
