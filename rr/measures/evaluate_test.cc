#include "rr/measures/evaluate.h"

#include <gtest/gtest.h>

#include <array>

namespace rr {
namespace {

// One docid a letter, scores falling.
Ranking ranking_of(const char* qid, std::string_view letters) {
  Ranking ranking{Qid(qid), {}};
  double score = 0;
  for (const char letter : letters) {
    ranking.docs.push_back({Docid(std::string(1, letter)), --score});
  }
  return ranking;
}

const Qrels kQrels = {
    {Qid("1"), {{Docid("a"), 1}}}, {Qid("2"), {{Docid("a"), 1}}}, {Qid("3"), {{Docid("a"), 1}}}};

const std::array kRr = {Measure{.kind = Measure::Kind::kReciprocalRank}};

TEST(EvaluateRun, MeansAreOverTopicsWithBothARankingAndQrels) {
  const rr::Run run{"t", {ranking_of("2", "xa"), ranking_of("1", "a"), ranking_of("9", "xxa")}};
  const Evaluation evaluation = evaluate_run(run, kQrels, kRr);
  EXPECT_DOUBLE_EQ(evaluation.means[0], (1 + 0.5) / 2);
  EXPECT_EQ(evaluation.only_in_run, 1u);
  EXPECT_EQ(evaluation.only_in_qrels, 1u);
  ASSERT_EQ(evaluation.topics.size(), 2u);
  EXPECT_EQ(evaluation.topics[0].qid, Qid("1"));
  EXPECT_DOUBLE_EQ(evaluation.topics[1].values[0], 0.5);
}

TEST(EvaluateRun, MissingTopicsCountAsZeroWhereAsked) {
  const rr::Run run{"t", {ranking_of("2", "xa"), ranking_of("1", "a")}};
  const Evaluation evaluation = evaluate_run(run, kQrels, kRr, MissingTopics::kZero);
  EXPECT_DOUBLE_EQ(evaluation.means[0], (1 + 0.5 + 0) / 3);
  EXPECT_EQ(evaluation.only_in_qrels, 1u);
  EXPECT_EQ(evaluation.topics.size(), 3u);
}

TEST(EvaluateRun, OrdersEachRankingAsTrecEvalDoes) {
  const rr::Run run{"t", {{Qid("1"), {{Docid("a"), 1}, {Docid("b"), 1}, {Docid("c"), 0}}}}};
  EXPECT_DOUBLE_EQ(evaluate_run(run, kQrels, kRr).means[0], 0.5);
}

TEST(EvaluateRun, ARunWithoutCommonTopicsHasNoMeans) {
  const Evaluation evaluation = evaluate_run({"t", {ranking_of("9", "a")}}, kQrels, kRr);
  EXPECT_TRUE(evaluation.topics.empty());
  EXPECT_EQ(evaluation.means[0], 0);
}

TEST(EvaluateRun, RboComparesWithTheReference) {
  const rr::Run reference{"t", {ranking_of("1", "abc"), ranking_of("2", "abc")}};
  const rr::Run run{"t", {ranking_of("1", "abc"), ranking_of("2", "xyz")}};
  const std::array measures = {Measure{.kind = Measure::Kind::kRbo, .cutoff = 3}};
  const Evaluation evaluation =
      evaluate_run(run, kQrels, measures, MissingTopics::kAbsent, &reference);
  EXPECT_NEAR(evaluation.topics[0].values[0], 1, 1e-12);
  EXPECT_EQ(evaluation.topics[1].values[0], 0);
}

}  // namespace
}  // namespace rr
