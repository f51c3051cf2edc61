#include "rr/lm/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "rr/base/random.h"

namespace rr {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> random_logits(std::size_t size, std::uint64_t seed, double spread) {
  RandomStream random(seed, 7);
  std::vector<float> logits(size);
  for (float& logit : logits) {
    logit = static_cast<float>(std::round((random.uniform() - 0.5) * spread * 8) / 8);  // with ties
  }
  return logits;
}

// The definition in sampler.h, done the long way: sort everything. Gives each place's probability.
std::vector<double> probabilities(const std::vector<float>& logits, const Sampling& sampling) {
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  if (sampling.top_k > 0) order.resize(std::min(order.size(), sampling.top_k));
  const auto weight = [&](std::size_t place) {
    return std::exp((static_cast<double>(logits[place]) - static_cast<double>(logits[order[0]])) /
                    sampling.temperature);
  };
  double mass = 0;
  for (const std::size_t place : order) mass += weight(place);
  double before = 0;
  std::vector<double> result(logits.size(), 0);
  double total = 0;
  for (const std::size_t place : order) {
    if (before >= sampling.top_p * mass) break;
    before += weight(place);
    if (weight(place) < sampling.min_p) break;
    result[place] = weight(place);
    total += weight(place);
  }
  for (double& p : result) p /= total;
  return result;
}

// How often each place is chosen over evenly spaced random numbers: its probability, to 1 / draws.
std::vector<double> frequencies(const std::vector<float>& logits, const Sampling& sampling) {
  constexpr int kDraws = 1000;
  std::vector<double> result(logits.size(), 0);
  for (int i = 0; i < kDraws; ++i) result[choose(logits, sampling, (i + 0.5) / kDraws)] += 1;
  for (double& frequency : result) frequency /= kDraws;
  return result;
}

void expect_distribution(const std::vector<float>& logits, const Sampling& sampling) {
  const std::vector<double> expected = probabilities(logits, sampling);
  const std::vector<double> seen = frequencies(logits, sampling);
  for (std::size_t place = 0; place < logits.size(); ++place) {
    ASSERT_NEAR(seen[place], expected[place], 1.01 / 1000)
        << "place " << place << " temperature " << sampling.temperature << " top_k "
        << sampling.top_k << " top_p " << sampling.top_p << " min_p " << sampling.min_p;
  }
}

TEST(LogSumExp, MatchesTheSumDoneByHand) {
  // e^0 + e^ln2 + e^ln5 = 8
  const std::vector<float> logits = {0, std::log(2.0f), std::log(5.0f)};
  EXPECT_NEAR(log_sum_exp(logits), std::log(8.0), 1e-6);
  EXPECT_NEAR(log_sum_exp(std::vector<float>{1000, 1000}), 1000 + std::log(2.0), 1e-6);
  EXPECT_EQ(log_sum_exp(std::vector<float>{-kInfinity, 3}), 3);
  EXPECT_NEAR(log_sum_exp(std::vector<float>(150000, 1.0f)), 1 + std::log(150000.0), 1e-6);
}

TEST(LogSumExp, SaysWhereThereIsNoDistribution) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::vector<float>& logits : {std::vector<float>{nan, 1, 2},
                                           {1, nan, 2},
                                           {1, 2, nan},
                                           {1, kInfinity},
                                           {-kInfinity, -kInfinity}}) {
    EXPECT_TRUE(std::isnan(log_sum_exp(logits)));
  }
}

TEST(Choose, TakesTheFirstOfTheLargestWithoutTemperature) {
  const std::vector<float> logits = {1, 5, 3, 5, 5};
  EXPECT_EQ(choose(logits, {}, 0.99), 1u);
  // top_p, top_k and min_p mean nothing then.
  EXPECT_EQ(choose(logits, {.top_p = 0.1, .top_k = 3, .min_p = 1}, 0.99), 1u);
}

TEST(Choose, DrawsAsTheDefinitionSays) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const std::vector<float> logits = random_logits(200, seed, seed % 2 == 0 ? 8.0 : 60.0);
    for (const double temperature : {0.3, 1.0, 2.5}) {
      for (const std::size_t top_k : {0u, 1u, 7u, 100u, 500u}) {
        for (const double top_p : {0.05, 0.9, 0.999, 1.0}) {
          for (const double min_p : {0.0, 0.1, 1.0}) {
            expect_distribution(
                logits,
                {.temperature = temperature, .top_p = top_p, .top_k = top_k, .min_p = min_p});
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

TEST(Choose, KeepsTheNucleusWhereTheMassLiesFarBelowTheTop) {
  // The top has 1 / (1 + 99999 e^-9) = 7.5 % of the mass: a nucleus of 90 % reaches into the rest.
  std::vector<float> logits(100000, -9.0f);
  logits[77777] = 0;
  const Sampling sampling = {.temperature = 1, .top_p = 0.9};
  EXPECT_EQ(choose(logits, sampling, 0.0), 77777u);
  EXPECT_EQ(choose(logits, sampling, 0.08), 77777u);  // 7.5 of 90 %
  EXPECT_LT(choose(logits, sampling, 0.1), 10000u);
  // 90 % needs (0.9 * 13.34 - 1) * e^9 = 89,190 of the equal ones, by the lower place first.
  EXPECT_NEAR(static_cast<double>(choose(logits, sampling, 0.999999)), 89190, 100);
}

TEST(Choose, NeverTakesWhatTheModelRulesOut) {
  const std::vector<float> logits = {-kInfinity, 2, -kInfinity, 1, -kInfinity};
  for (const Sampling& sampling :
       {Sampling{.temperature = 5}, Sampling{.temperature = 5, .top_k = 4},
        Sampling{.temperature = 5, .top_p = 0.9999}}) {
    for (int i = 0; i < 100; ++i) {
      const std::size_t place = choose(logits, sampling, i / 100.0);
      EXPECT_TRUE(place == 1 || place == 3) << place;
    }
  }
}

TEST(Choose, TakesATinyTemperatureAsNone) {
  const std::vector<float> logits = {1, 1.001f, 0};
  EXPECT_EQ(choose(logits, {.temperature = 1e-300}, 0.999), 1u);
  EXPECT_EQ(choose(logits, {.temperature = 1e-5, .top_p = 0.5}, 0.999), 1u);
}

TEST(CheckSampling, RefusesWhatIsOutOfRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(check_sampling({}).ok());
  EXPECT_TRUE(check_sampling({.temperature = 2, .top_p = 0.5, .top_k = 3, .min_p = 1}).ok());
  for (const Sampling& sampling :
       {Sampling{.temperature = -0.1}, Sampling{.temperature = nan}, Sampling{.top_p = 0},
        Sampling{.top_p = 1.1}, Sampling{.top_p = nan}, Sampling{.min_p = -1},
        Sampling{.min_p = 2}}) {
    EXPECT_FALSE(check_sampling(sampling).ok());
  }
  EXPECT_EQ(check_sampling({.top_p = 1.5}).error().message,
            "expected top_p above 0 and at most 1, found 1.5");
}

}  // namespace
}  // namespace rr
