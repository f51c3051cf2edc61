#include "rr/measures/bootstrap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "rr/measures/internal/difference_samples.h"

namespace rr {
namespace {

// scipy.stats.bootstrap (1.17.1), BCa, with 300,000 resamples; the tolerances are four times the
// spread that 20 seeds gave it with 9,999 (tests/oracles/significance.py). Coarse values have few
// distinct means, and an end may fall on the next of them.
TEST(BootstrapMeanInterval, IsScipysWithinTheMonteCarloError) {
  const auto expect = [](const std::vector<double>& values, Interval scipy, Interval tolerance) {
    const Interval ours = bootstrap_mean_interval(values);
    EXPECT_NEAR(ours.low, scipy.low, tolerance.low);
    EXPECT_NEAR(ours.high, scipy.high, tolerance.high);
  };
  expect(kSmall, {-0.011111111111111115, 0.2222222222222222}, {0.0112, 0.0112});
  expect(kMiddle, {-0.042721042607964485, 0.00754}, {0.0018, 0.0012});
  expect(kMiddleTies, {-0.011111111111111112, 0.1888888888888889}, {0.0067, 0.0092});
  expect(kLarge, {0.0021833333333333336, 0.039640225678132954}, {0.0012, 0.0013});
  expect(kLargeTies, {0.015, 0.135}, {0.0037, 0.003});
}

TEST(BootstrapMeanInterval, SameSeedSameInterval) {
  const Interval first = bootstrap_mean_interval(kLarge, {.seed = 7});
  EXPECT_EQ(first.low, bootstrap_mean_interval(kLarge, {.seed = 7}).low);
  EXPECT_NE(first.low, bootstrap_mean_interval(kLarge, {.seed = 8}).low);
}

TEST(BootstrapMeanInterval, MoreConfidenceIsWider) {
  const Interval wide = bootstrap_mean_interval(kLarge, {.confidence = 0.99});
  const Interval narrow = bootstrap_mean_interval(kLarge, {.confidence = 0.5});
  EXPECT_LT(wide.low, narrow.low);
  EXPECT_LT(narrow.high, wide.high);
}

TEST(BootstrapMeanInterval, LeansToTheLongTail) {
  std::vector<double> skewed(40, 0.0);
  std::fill(skewed.begin(), skewed.begin() + 4, 1.0);
  const Interval interval = bootstrap_mean_interval(skewed);
  EXPECT_GT(interval.high - 0.1, 0.1 - interval.low);
}

TEST(BootstrapMeanInterval, EqualValuesLeaveNoDoubt) {
  for (const auto& values : {std::vector<double>{0.3}, std::vector<double>(5, 0.3)}) {
    const Interval interval = bootstrap_mean_interval(values);
    EXPECT_DOUBLE_EQ(interval.low, 0.3);
    EXPECT_DOUBLE_EQ(interval.high, 0.3);
  }
}

TEST(BootstrapMeanInterval, OneResampleIsEnoughForAnAnswer) {
  const Interval interval = bootstrap_mean_interval(kSmall, {.resamples = 1});
  EXPECT_EQ(interval.low, interval.high);
}

}  // namespace
}  // namespace rr
