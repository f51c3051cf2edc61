#include "rr/rerank/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "rr/rerank/scores.h"

namespace rr {
namespace {

using ::testing::ElementsAre;

TEST(RelevanceScore, IsTheLogOddsOfYes) {
  const std::vector<double> logprobs = {std::log(0.6), std::log(0.2)};
  EXPECT_NEAR(relevance_score(logprobs), std::log(3.0), 1e-12);
}

TEST(OrderByScore, WritesAnAnswerWhoseChoicesGiveTheScoresBack) {
  const std::vector<double> scores = {-1.5, 2.25, -1.5, 0.5};
  const Completion completion = order_by_score(scores);
  EXPECT_EQ(completion.text, "[2] > [4] > [1] > [3]");
  ASSERT_EQ(completion.stages.size(), 1u);
  JudgedWindow window;
  for (const IdentifierChoice& choice : completion.stages[0].choices) {
    window.candidates.push_back(choice.identifier - 1);
    window.choice_logprobs.push_back(choice.logprob);
  }
  EXPECT_THAT(window.candidates, ElementsAre(1u, 3u, 0u, 2u));
  EXPECT_EQ(window.choice_logprobs.back(), 0);
  double total = 0;
  for (const double score : scores) total += std::exp(score);
  const std::vector<double> back = choice_scores(window.candidates, {{window}});
  for (std::size_t rank = 0; rank < back.size(); ++rank) {
    EXPECT_NEAR(back[rank], scores[window.candidates[rank]] - std::log(total), 2e-4);
  }
}

TEST(OrderByScore, HoldsScoresThatAreFarApart) {
  const std::vector<double> scores = {-2000, 1500, 0};
  const Completion completion = order_by_score(scores);
  EXPECT_EQ(completion.text, "[2] > [3] > [1]");
  for (const IdentifierChoice& choice : completion.stages[0].choices) {
    EXPECT_TRUE(std::isfinite(choice.logprob));
  }
  EXPECT_EQ(order_by_score(std::vector<double>{7}).text, "[1]");
}

}  // namespace
}  // namespace rr
