#include "rr/measures/significance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "rr/measures/internal/difference_samples.h"

// Expected values are those of scipy 1.17.1 on the same differences
// (tests/oracles/significance.py).

namespace rr {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(PairedTTest, IsScipys) {
  const auto expect = [](const std::vector<double>& differences, double statistic, double p) {
    const PairedTest test = paired_t_test(differences);
    EXPECT_NEAR(test.statistic, statistic, 1e-9);
    EXPECT_NEAR(test.p_value, p, 1e-9);
  };
  expect(kSmall, 1.7541160386140582, 0.11749458266709464);
  expect(kMiddle, -1.293701126436367, 0.20597819562417877);
  expect(kMiddleTies, 1.7925432349548702, 0.09085915485356294);
  expect(kLarge, 2.167949120549052, 0.03420819237057222);
  expect(kLargeTies, 2.485794126853785, 0.015778657906046264);
}

TEST(PairedTTest, WithoutSpreadKnowsOnlyAllOrNothing) {
  EXPECT_EQ(paired_t_test(std::vector<double>{0, 0, 0}).p_value, 1);
  const PairedTest all_equal = paired_t_test(std::vector<double>{-0.1, -0.1, -0.1});
  EXPECT_EQ(all_equal.statistic, -kInfinity);
  EXPECT_EQ(all_equal.p_value, 0);
}

TEST(EveryTest, OneTopicTellsNothing) {
  const std::vector<double> one = {0.5};
  EXPECT_EQ(paired_t_test(one).p_value, 1);
  EXPECT_EQ(wilcoxon_signed_rank(one).p_value, 1);
  EXPECT_EQ(randomisation_test(one, 0).p_value, 1);
  EXPECT_EQ(paired_t_test({}).p_value, 1);
  EXPECT_EQ(wilcoxon_signed_rank({}).p_value, 1);
  EXPECT_EQ(randomisation_test({}, 0).p_value, 1);
}

TEST(EveryTest, DoesNotAskWhichRunComesFirst) {
  for (const auto* differences : {&kSmall, &kMiddle, &kLargeTies}) {
    std::vector<double> turned;
    for (const double difference : *differences) turned.push_back(-difference);
    EXPECT_NEAR(paired_t_test(*differences).p_value, paired_t_test(turned).p_value, 1e-12);
    EXPECT_NEAR(wilcoxon_signed_rank(*differences).p_value, wilcoxon_signed_rank(turned).p_value,
                1e-12);
    EXPECT_NEAR(randomisation_test(*differences, 5).p_value, randomisation_test(turned, 5).p_value,
                1e-12);
  }
}

TEST(Wilcoxon, IsScipysInEachOfItsMethods) {
  const auto expect = [](const std::vector<double>& differences, double statistic, double p) {
    const PairedTest test = wilcoxon_signed_rank(differences);
    EXPECT_EQ(test.statistic, statistic);
    EXPECT_NEAR(test.p_value, p, 1e-9);
  };
  expect(kSmall, 7, 0.1640625);                    // exact, with ties and a zero
  expect(kMiddle, 177, 0.2621222734451294);        // exact, without
  expect(kMiddleTies, 41.5, 0.09459350924535524);  // approximate for its ties
  expect(kLarge, 615.5, 0.04193203807929222);      // approximate for its size
  expect(kLargeTies, 490, 0.011272281684919085);
}

TEST(Wilcoxon, RoundingDoesNotBreakTies) {
  // 0.3 - 0.2 and 0.2 - 0.1 differ in their last bit.
  const std::vector<double> rounded = {0.1, 0.1, -0.3, 0.1, 0.5};
  const std::vector<double> subtracted = {0.3 - 0.2, 0.2 - 0.1, -0.3, 0.4 - 0.3, 0.5};
  EXPECT_EQ(wilcoxon_signed_rank(subtracted).p_value, wilcoxon_signed_rank(rounded).p_value);
  EXPECT_EQ(wilcoxon_signed_rank(std::vector<double>{0.3 - 0.2 - 0.1, 1e-17}).p_value, 1);
}

TEST(Randomisation, CountsEverySignPatternOfFewTopics) {
  // Of +-1 +-2 +-3 the sums 6 and -6 are as extreme as 6: 2 of 8.
  EXPECT_DOUBLE_EQ(randomisation_test(std::vector<double>{1, 2, 3}, 0).p_value, 0.25);
  EXPECT_DOUBLE_EQ(randomisation_test(std::vector<double>{1, 2, 3}, 0).statistic, 2);
  // scipy.stats.permutation_test over all patterns.
  EXPECT_NEAR(randomisation_test(kSmall, 0).p_value, 0.1640625, 1e-12);
  EXPECT_NEAR(randomisation_test(kMiddleTies, 0).p_value, 0.112457275390625, 1e-12);
}

TEST(Randomisation, SamplesManyTopicsWithinTheMonteCarloError) {
  // scipy.stats.permutation_test with 400,000 samples; five standard errors of both together.
  const auto expect = [](const std::vector<double>& differences, double p) {
    const double error = std::sqrt(p * (1 - p) * (1 / 1e5 + 1 / 4e5));
    EXPECT_NEAR(randomisation_test(differences, 0).p_value, p, 5 * error);
    EXPECT_NEAR(randomisation_test(differences, 1).p_value, p, 5 * error);
  };
  expect(kMiddle, 0.20769948075129813);
  expect(kLarge, 0.034464913837715404);
  expect(kLargeTies, 0.01875495311261722);
}

TEST(Randomisation, SameSeedSameValue) {
  EXPECT_EQ(randomisation_test(kLarge, 3).p_value, randomisation_test(kLarge, 3).p_value);
  EXPECT_NE(randomisation_test(kLarge, 3).p_value, randomisation_test(kLarge, 4).p_value);
}

TEST(Randomisation, NeverClaimsMoreThanItsSamplesShow) {
  EXPECT_NEAR(randomisation_test(std::vector<double>(50, 0.1), 0, 999).p_value, 1.0 / 1000, 1e-15);
  EXPECT_EQ(randomisation_test(std::vector<double>(50, 0.0), 0).p_value, 1);
}

TEST(Corrections, AreTheProductsDoneByHand) {
  const std::vector<double> p = {0.01, 0.04, 0.03, 0.005};
  // Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 = 0.02, 0.03, 0.06, 0.04; the last not below
  // the one before it.
  const std::vector<double> by_holm = holm(p);
  const std::vector<double> by_bonferroni = bonferroni(p);
  const std::vector<double> expected_holm = {0.03, 0.06, 0.06, 0.02};
  const std::vector<double> expected_bonferroni = {0.04, 0.16, 0.12, 0.02};
  for (std::size_t i = 0; i < p.size(); ++i) {
    EXPECT_NEAR(by_holm[i], expected_holm[i], 1e-15);
    EXPECT_NEAR(by_bonferroni[i], expected_bonferroni[i], 1e-15);
  }
  EXPECT_EQ(holm(std::vector<double>{0.6, 0.7})[0], 1);
  EXPECT_EQ(bonferroni(std::vector<double>{0.6, 0.7})[1], 1);
  EXPECT_TRUE(holm({}).empty());
}

TEST(EffectSize, IsTheMeanInStandardDeviations) {
  EXPECT_NEAR(effect_size(kSmall), 0.5847053462046861, 1e-12);
  EXPECT_NEAR(effect_size(kLarge), 0.27988102797704983, 1e-12);
  EXPECT_EQ(effect_size(std::vector<double>{0, 0}), 0);
  EXPECT_EQ(effect_size(std::vector<double>{0.1, 0.1, 0.1}), kInfinity);
  EXPECT_EQ(effect_size(std::vector<double>{0.1}), 0);
}

// scipy.stats.nct, solved for the power with scipy.optimize.brentq.
TEST(SmallestDetectableDifference, HasThePowerAskedFor) {
  EXPECT_NEAR(*smallest_detectable_difference(kSmall), 0.2027561067282615, 1e-8);
  EXPECT_NEAR(*smallest_detectable_difference(kMiddle), 0.037852196423041023, 1e-8);
  EXPECT_NEAR(*smallest_detectable_difference(kLarge), 0.027491012412454927, 1e-8);
  EXPECT_NEAR(*smallest_detectable_difference(kSmall, 0.01, 0.9), 0.31188451008362966, 1e-8);
  EXPECT_NEAR(*smallest_detectable_difference(kLargeTies, 0.01, 0.9), 0.12244077986791899, 1e-8);
}

TEST(SmallestDetectableDifference, NeedsTwoTopics) {
  EXPECT_FALSE(smallest_detectable_difference(std::vector<double>{0.2}).has_value());
  EXPECT_EQ(smallest_detectable_difference(std::vector<double>{0.2, 0.2}), 0);
}

}  // namespace
}  // namespace rr
