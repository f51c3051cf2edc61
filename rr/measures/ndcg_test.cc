#include "rr/measures/ndcg.h"

#include <gtest/gtest.h>

#include <vector>

namespace rr {
namespace {

std::vector<Docid> ranking_of(std::string_view letters) {
  std::vector<Docid> ranking;
  for (const char letter : letters) ranking.emplace_back(std::string(1, letter));
  return ranking;
}

const TopicQrels kQrels = {{Docid("a"), 3}, {Docid("b"), 1}, {Docid("c"), 0}, {Docid("d"), -1}};

TEST(Ndcg, MatchesTheSumDoneByHand) {
  // DCG = 1/log2(2) + 0/log2(3) + 3/log2(4) = 2.5, ideal = 3/log2(2) + 1/log2(3) = 3.63093
  EXPECT_NEAR(ndcg_at(10, ranking_of("bca"), kQrels), 2.5 / 3.6309297535714573, 1e-12);
  EXPECT_NEAR(ndcg_at(kWholeRanking, ranking_of("bca"), kQrels), 2.5 / 3.6309297535714573, 1e-12);
}

TEST(Ndcg, TheCutoffCutsTheIdealToo) {
  EXPECT_NEAR(ndcg_at(1, ranking_of("bca"), kQrels), 1.0 / 3, 1e-12);
  EXPECT_NEAR(ndcg_at(1, ranking_of("abc"), kQrels), 1, 1e-12);
}

TEST(Ndcg, UnjudgedAndNegativeGradesGainNothing) {
  EXPECT_EQ(ndcg_at(10, ranking_of("dx"), kQrels), 0);
  EXPECT_NEAR(ndcg_at(10, ranking_of("dxa"), kQrels), 1.5 / 3.6309297535714573, 1e-12);
}

TEST(Ndcg, ATopicWithoutRelevantDocumentsScoresZero) {
  EXPECT_EQ(ndcg_at(10, ranking_of("ab"), {{Docid("a"), 0}}), 0);
  EXPECT_EQ(ndcg_at(10, ranking_of("ab"), {}), 0);
  EXPECT_EQ(ndcg_at(10, {}, kQrels), 0);
}

}  // namespace
}  // namespace rr
