#include "rr/rerank/scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include <cmath>
#include <numeric>

namespace rr {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

bool falls_strictly_as_floats(const std::vector<double>& scores) {
  for (std::size_t i = 1; i < scores.size(); ++i) {
    if (!(static_cast<float>(scores[i]) < static_cast<float>(scores[i - 1]))) return false;
  }
  return true;
}

TEST(ChoiceScores, GiveBackTheWorthsOfAPlackettLuceModel) {
  // Worths 0.6, 0.3, 0.1: the choices have p = 0.6, 0.3 / 0.4 and 1.
  const std::vector<std::size_t> order = {2, 0, 1};
  const JudgedWindow window{{2, 0, 1}, {std::log(0.6), std::log(0.75), 0}};
  EXPECT_THAT(choice_scores(order, std::vector{window}),
              ElementsAre(DoubleNear(std::log(0.6), 1e-6), DoubleNear(std::log(0.3), 1e-6),
                          DoubleNear(std::log(0.1), 1e-6)));
}

TEST(ChoiceScores, PutEarlierWindowsOnTheScaleOfTheHead) {
  // Candidates with worths 8, 4, 2, 1; the first window saw 4, 2, 1, the second 8 and 4. Both tell
  // of the same model, so the chain must give all four worths back.
  const std::vector<JudgedWindow> windows = {
      {{1, 2, 3}, {std::log(4.0 / 7), std::log(2.0 / 3), 0}},
      {{0, 1}, {std::log(8.0 / 12), 0}},
  };
  const std::vector<std::size_t> order = {0, 1, 2, 3};
  const std::vector<double> scores = choice_scores(order, windows);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(scores[i], std::log(std::pow(2.0, 3.0 - static_cast<double>(i)) / 15), 1e-6);
  }
}

TEST(ChoiceScores, PoolWorthsThatContradictTheOrder) {
  // p = 0.2 and then 0.9 would make the second worth 0.72, more than the first: both become the
  // mean of the logs, a step apart.
  const JudgedWindow window{{0, 1, 2}, {std::log(0.2), std::log(0.9), 0}};
  const std::vector<std::size_t> order = {0, 1, 2};
  const std::vector<double> scores = choice_scores(order, std::vector{window});
  const double pooled = (std::log(0.2) + std::log(0.72)) / 2;
  EXPECT_NEAR(scores[0] - scores[1], 1e-4, 1e-6);
  EXPECT_NEAR(scores[0] - scores[2], pooled - std::log(0.08), 1e-6);
}

TEST(ChoiceScores, AreOneOverRankWhereAWindowsChoicesAreUnknown) {
  const std::vector<std::size_t> order = {1, 0};
  const std::vector<JudgedWindow> windows = {{{1, 0}, {}}};
  EXPECT_THAT(choice_scores(order, windows), ElementsAre(1.0, 0.5));
  EXPECT_THAT(choice_scores(order, {}), ElementsAre(1.0, 0.5));
}

TEST(ChoiceScores, GiveCandidatesOutsideTheWindowsTheirNeighboursWorth) {
  const JudgedWindow window{{1, 2}, {std::log(0.5), 0}};
  const std::vector<std::size_t> order = {0, 1, 2, 3, 4};
  const std::vector<double> scores = choice_scores(order, std::vector{window});
  EXPECT_TRUE(falls_strictly_as_floats(scores));
  EXPECT_NEAR(scores.front(), std::log(0.2), 1e-3);
  EXPECT_NEAR(scores.back(), std::log(0.2), 1e-3);
}

RC_GTEST_PROP(ChoiceScores, FallStrictlyForAnyProbabilities, ()) {
  const auto n = *rc::gen::inRange<std::size_t>(1, 1500);
  const std::size_t w = *rc::gen::inRange<std::size_t>(1, 40);
  const std::size_t s = *rc::gen::inRange<std::size_t>(1, w + 1);
  const auto seeds = *rc::gen::container<std::vector<int>>(64, rc::gen::inRange(0, 1000));
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<JudgedWindow> windows;
  std::size_t draw = 0;
  for (std::size_t end = n;; end -= s) {
    const std::size_t start = end > w ? end - w : 0;
    JudgedWindow window;
    for (std::size_t i = start; i < end; ++i) {
      window.candidates.push_back(i);
      window.choice_logprobs.push_back(i + 1 == end ? 0 : -0.02 * seeds[draw++ % 64] * seeds[0]);
    }
    windows.push_back(std::move(window));
    if (start == 0) break;
  }
  const std::vector<double> scores = choice_scores(order, windows);
  RC_ASSERT(scores.size() == n);
  RC_ASSERT(falls_strictly_as_floats(scores));
  for (const double score : scores) RC_ASSERT(std::isfinite(score));
}

TEST(RankScores, FallStrictlyAsFloats) {
  EXPECT_TRUE(falls_strictly_as_floats(rank_scores(100000)));
}

}  // namespace
}  // namespace rr
