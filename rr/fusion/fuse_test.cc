#include "rr/fusion/fuse.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <string_view>

namespace rr {
namespace {

// One docid a letter.
Ranking ranking_of(const char* qid, std::string_view letters, std::vector<double> scores) {
  Ranking ranking{Qid(qid), {}};
  for (std::size_t i = 0; i < letters.size(); ++i) {
    ranking.docs.push_back({Docid(std::string(1, letters[i])), scores.at(i)});
  }
  return ranking;
}

std::string order_of(const Ranking& ranking) {
  std::string order;
  for (const ScoredDocid& doc : ranking.docs) order += doc.docid.str();
  return order;
}

std::map<std::string, double> scores_of(const Ranking& ranking) {
  std::map<std::string, double> scores;
  for (const ScoredDocid& doc : ranking.docs) scores[doc.docid.str()] = doc.score;
  return scores;
}

const std::array kRuns = {rr::Run{"one", {ranking_of("1", "abcd", {12, 10, 8, 4})}},
                          rr::Run{"two", {ranking_of("1", "cxa", {0.9, 0.6, 0.5})}}};

FusionOptions linear(Normalization normalization, std::vector<double> weights = {}) {
  return {.method = FusionMethod::kLinear,
          .normalization = normalization,
          .weights = std::move(weights)};
}

TEST(ReciprocalRankFusion, IsTheSumDoneByHand) {
  const Ranking fused = fuse(kRuns, {}).rankings.at(0);
  auto scores = scores_of(fused);
  EXPECT_DOUBLE_EQ(scores["a"], 1.0 / 61 + 1.0 / 63);
  EXPECT_DOUBLE_EQ(scores["b"], 1.0 / 62);
  EXPECT_DOUBLE_EQ(scores["c"], 1.0 / 63 + 1.0 / 61);
  EXPECT_DOUBLE_EQ(scores["d"], 1.0 / 64);
  EXPECT_DOUBLE_EQ(scores["x"], 1.0 / 62);
  // Ties by docid, descending, as trec_eval will have them.
  EXPECT_EQ(order_of(fused), "caxbd");
}

TEST(ReciprocalRankFusion, TakesWeightsAndAnotherK) {
  auto scores = scores_of(fuse(kRuns, {.rrf_k = 0, .weights = {2, 0.5}}).rankings.at(0));
  EXPECT_DOUBLE_EQ(scores["a"], 2.0 / 1 + 0.5 / 3);
  EXPECT_DOUBLE_EQ(scores["x"], 0.5 / 2);
}

TEST(ReciprocalRankFusion, RanksAreThoseOfTheScoresNotOfTheLines) {
  const std::array runs = {rr::Run{"", {ranking_of("1", "ab", {1, 2})}}};
  EXPECT_EQ(order_of(fuse(runs, {}).rankings.at(0)), "ba");
}

TEST(LinearFusion, AddsMinMaxScores) {
  auto scores = scores_of(fuse(kRuns, linear(Normalization::kMinMax, {1, 3})).rankings.at(0));
  EXPECT_DOUBLE_EQ(scores["a"], 1 + 3 * 0);
  EXPECT_DOUBLE_EQ(scores["b"], 0.75);
  EXPECT_DOUBLE_EQ(scores["c"], 0.5 + 3 * 1);
  EXPECT_DOUBLE_EQ(scores["d"], 0);
  EXPECT_NEAR(scores["x"], 3 * 0.25, 1e-12);
}

TEST(LinearFusion, AddsScoresAsTheyAre) {
  auto scores = scores_of(fuse(kRuns, linear(Normalization::kNone)).rankings.at(0));
  EXPECT_DOUBLE_EQ(scores["a"], 12.5);
  EXPECT_DOUBLE_EQ(scores["x"], 0.6);
}

TEST(LinearFusion, AbsentDocumentsMayCountAsTheLowest) {
  FusionOptions options = linear(Normalization::kNone, {1, 2});
  options.absent = AbsentScore::kLowest;
  auto scores = scores_of(fuse(kRuns, options).rankings.at(0));
  EXPECT_DOUBLE_EQ(scores["a"], 12 + 2 * 0.5);
  EXPECT_DOUBLE_EQ(scores["b"], 10 + 2 * 0.5);
  EXPECT_DOUBLE_EQ(scores["c"], 8 + 2 * 0.9);
  EXPECT_DOUBLE_EQ(scores["x"], 4 + 2 * 0.6);
}

TEST(Fuse, ATopicOfOneRunStands) {
  const std::array runs = {
      rr::Run{"", {ranking_of("2", "a", {1})}},
      rr::Run{"", {ranking_of("1", "b", {1}), ranking_of("2", "b", {1}), {Qid("3"), {}}}}};
  const rr::Run fused = fuse(runs, {});
  ASSERT_EQ(fused.rankings.size(), 2u);
  EXPECT_EQ(fused.rankings[0].qid, Qid("2"));
  EXPECT_EQ(order_of(fused.rankings[0]), "ba");
  EXPECT_EQ(order_of(fused.rankings[1]), "b");
}

TEST(Fuse, KeepsTheBestOfADepth) {
  EXPECT_EQ(order_of(fuse(kRuns, {.depth = 2}).rankings.at(0)), "ca");
}

TEST(Fuse, OneRunAloneKeepsItsOrder) {
  const std::array runs = {kRuns[0]};
  for (const FusionOptions& options :
       {FusionOptions{}, linear(Normalization::kMinMax), linear(Normalization::kZmuv)}) {
    EXPECT_EQ(order_of(fuse(runs, options).rankings.at(0)), "abcd");
  }
}

TEST(Fuse, OfNothingIsNothing) { EXPECT_TRUE(fuse({}, {}).rankings.empty()); }

}  // namespace
}  // namespace rr
