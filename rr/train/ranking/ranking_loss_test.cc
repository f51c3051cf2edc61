#include "rr/train/ranking/ranking_loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

namespace rr {
namespace {

constexpr RankingLossKind kKinds[] = {RankingLossKind::kSoftmax, RankingLossKind::kRankNet};

// By hand: softmax of (0, log 2, log 5) is (1, 2, 5) / 8.
TEST(RankingLoss, IsWhatTheFormulaSays) {
  const std::vector<double> scores = {0, std::log(2.0), std::log(5.0)};
  const std::vector<double> gains = {3, 0, 1};
  const RankingLoss softmax = ranking_loss(RankingLossKind::kSoftmax, scores, gains);
  EXPECT_NEAR(softmax.loss, 0.75 * std::log(8.0) + 0.25 * std::log(8.0 / 5), 1e-12);
  EXPECT_NEAR(softmax.slopes[0], 0.125 - 0.75, 1e-12);
  EXPECT_NEAR(softmax.slopes[1], 0.25, 1e-12);
  EXPECT_NEAR(softmax.slopes[2], 0.625 - 0.25, 1e-12);
  // Pairs (0,1), (0,2), (2,1).
  const RankingLoss ranknet = ranking_loss(RankingLossKind::kRankNet, scores, gains);
  EXPECT_NEAR(ranknet.loss, (std::log(3.0) + std::log(6.0) + std::log(1 + 2.0 / 5)) / 3, 1e-12);
}

TEST(RankingLoss, HasTheSlopesOfItsDifferences) {
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal(0, 4);
  for (const RankingLossKind kind : kKinds) {
    for (int round = 0; round < 50; ++round) {
      std::vector<double> scores;
      std::vector<double> gains;
      for (int i = 0; i < 2 + round % 9; ++i) {
        scores.push_back(normal(random));
        gains.push_back(static_cast<double>(random() % 4));
      }
      gains[0] = 5;
      const RankingLoss found = ranking_loss(kind, scores, gains);
      EXPECT_NEAR(std::accumulate(found.slopes.begin(), found.slopes.end(), 0.0), 0, 1e-12);
      for (std::size_t i = 0; i < scores.size(); ++i) {
        constexpr double kStep = 1e-5;
        const auto loss_at = [&](double by) {
          std::vector<double> moved = scores;
          moved[i] += by;
          return ranking_loss(kind, moved, gains).loss;
        };
        EXPECT_NEAR(found.slopes[i], (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep), 1e-8);
      }
    }
  }
}

TEST(RankingLoss, HoldsScoresThatAreFarApart) {
  const std::vector<double> scores = {-3000, 2000};
  const std::vector<double> gains = {1, 0};
  for (const RankingLossKind kind : kKinds) {
    const RankingLoss loss = ranking_loss(kind, scores, gains);
    EXPECT_NEAR(loss.loss, 5000, 1e-9);
    EXPECT_NEAR(loss.slopes[0], -1, 1e-12);
  }
}

}  // namespace
}  // namespace rr
