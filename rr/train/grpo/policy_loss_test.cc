#include "rr/train/grpo/policy_loss.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/train/grpo/advantage.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

Json vectors() { return Json::parse(read_file(shared_data("golden-grpo/vectors.json")).value()); }

TEST(GroupAdvantages, AreTheGoldenOnes) {
  RR_NEEDS_FILE(shared_data("golden-grpo"));
  const Json golden = vectors();
  for (const Json& example : golden.at("advantages")) {
    for (std::size_t g = 0; g < example.at("rewards").size(); ++g) {
      const auto rewards = example.at("rewards")[g].get<std::vector<double>>();
      const auto expected = example.at("advantages")[g].get<std::vector<double>>();
      const std::vector<double> found = group_advantages(rewards);
      ASSERT_EQ(found.size(), expected.size());
      for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-9);
    }
  }
}

TEST(GroupAdvantages, TeachNothingWhereAllAreEqual) {
  // Three times 0.1 sums to 0.30000000000000004.
  EXPECT_EQ(group_advantages(std::vector{0.1, 0.1, 0.1}), std::vector(3, 0.0));
  EXPECT_EQ(group_advantages(std::vector{1.3}), std::vector{0.0});
}

TEST(GroupAdvantages, MayLeaveTheDeviationOut) {
  // mean 0.5
  EXPECT_EQ(group_advantages(std::vector{1.0, 0.0}, false), (std::vector{0.5, -0.5}));
}

struct Batch {
  double policy = 0;
  double kl = 0;
  double total = 0;
  std::size_t clipped = 0;
  std::size_t dual_clipped = 0;
  std::vector<std::vector<double>> slopes;
};

using Rows = std::vector<std::vector<double>>;

Batch loss_of(const Json& example) {
  const auto logprobs = example.at("logprobs").get<Rows>();
  const auto old = example.at("old_logprobs").get<Rows>();
  const auto reference = example.at("reference_logprobs").get<Rows>();
  const PolicyLossOptions options = {example.at("clip"), example.at("clip"),
                                     example.at("dual_clip"), example.at("kl_coefficient")};
  const LossMean mean =
      example.at("average") == "token-mean" ? LossMean::kToken : LossMean::kSequence;
  std::size_t tokens = 0;
  for (const auto& row : logprobs) tokens += row.size();
  Batch batch;
  for (std::size_t r = 0; r < logprobs.size(); ++r) {
    const double weight = token_weight(mean, logprobs.size(), logprobs[r].size(), tokens);
    std::vector<double>& slopes = batch.slopes.emplace_back();
    for (std::size_t t = 0; t < logprobs[r].size(); ++t) {
      const TokenLoss loss = token_loss(logprobs[r][t], old[r][t], reference[r][t],
                                        example.at("advantages")[r], options);
      batch.policy += weight * loss.policy;
      batch.kl += weight * loss.kl;
      batch.total += weight * loss.loss;
      batch.clipped += loss.clipped ? 1 : 0;
      batch.dual_clipped += loss.dual_clipped ? 1 : 0;
      slopes.push_back(weight * loss.slope);
    }
  }
  return batch;
}

// Values stand there with ten digits.
void expect_equal(double found, double expected, const std::string& what) {
  EXPECT_NEAR(found, expected, 1e-9 * std::max(1.0, std::abs(expected))) << what;
}

TEST(PolicyLoss, IsTheGoldenOneWithItsGradient) {
  RR_NEEDS_FILE(shared_data("golden-grpo"));
  const Json golden = vectors();
  for (const Json& example : golden.at("loss")) {
    const Batch found = loss_of(example);
    expect_equal(found.policy, example.at("policy_loss"), "policy");
    expect_equal(found.kl, example.at("kl"), "kl");
    expect_equal(found.total, example.at("total"), "total");
    EXPECT_EQ(found.clipped, example.at("clipped_tokens").get<std::size_t>());
    EXPECT_EQ(found.dual_clipped, example.at("dual_clipped_tokens").get<std::size_t>());
    const auto expected = example.at("d_total_d_logprobs").get<Rows>();
    ASSERT_EQ(found.slopes.size(), expected.size());
    for (std::size_t r = 0; r < expected.size(); ++r) {
      ASSERT_EQ(found.slopes[r].size(), expected[r].size());
      for (std::size_t t = 0; t < expected[r].size(); ++t) {
        expect_equal(found.slopes[r][t], expected[r][t], "slope");
      }
    }
  }
}

// Across clips on either side, the dual clip and the clamps.
TEST(PolicyLoss, HasTheSlopeOfItsLoss) {
  constexpr double kStep = 1e-6;
  for (const double advantage : {1.5, -0.7, 0.0}) {
    for (const double high : {0.2, 0.28}) {
      const PolicyLossOptions options = {0.2, high, 3, 0.05};
      for (double p = -25; p < 25; p += 0.3737) {
        const auto loss = [&](double at) {
          return token_loss(at, -1, -1.3, advantage, options).loss;
        };
        const double slope = (loss(p + kStep) - loss(p - kStep)) / (2 * kStep);
        const double found = token_loss(p, -1, -1.3, advantage, options).slope;
        EXPECT_NEAR(found, slope, 1e-5 * std::max(1.0, std::abs(slope))) << p << " " << advantage;
      }
    }
  }
}

}  // namespace
}  // namespace rr
