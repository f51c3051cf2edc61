#include "rr/measures/precision.h"

#include <gtest/gtest.h>

#include <vector>

#include "rr/measures/average_precision.h"
#include "rr/measures/reciprocal_rank.h"

namespace rr {
namespace {

std::vector<Docid> ranking_of(std::string_view letters) {
  std::vector<Docid> ranking;
  for (const char letter : letters) ranking.emplace_back(std::string(1, letter));
  return ranking;
}

// Relevant: a, c, e (never retrieved below); c is highly relevant.
const TopicQrels kQrels = {{Docid("a"), 1}, {Docid("b"), 0}, {Docid("c"), 2}, {Docid("e"), 1}};

TEST(Precision, AShortRankingIsNotExcused) {
  EXPECT_DOUBLE_EQ(precision_at(2, ranking_of("bacd"), kQrels), 1.0 / 2);
  EXPECT_DOUBLE_EQ(precision_at(10, ranking_of("bacd"), kQrels), 2.0 / 10);
  EXPECT_EQ(precision_at(10, {}, kQrels), 0);
}

TEST(Recall, DividesByAllRelevantDocuments) {
  EXPECT_DOUBLE_EQ(recall_at(2, ranking_of("bacd"), kQrels), 1.0 / 3);
  EXPECT_DOUBLE_EQ(recall_at(kWholeRanking, ranking_of("bacd"), kQrels), 2.0 / 3);
  EXPECT_EQ(recall_at(2, ranking_of("b"), {{Docid("b"), 0}}), 0);
}

TEST(RPrecision, LooksAtAsManyDocumentsAsAreRelevant) {
  EXPECT_DOUBLE_EQ(r_precision(ranking_of("bacd"), kQrels), 2.0 / 3);
  EXPECT_EQ(r_precision(ranking_of("b"), {}), 0);
}

TEST(Success, OneRelevantDocumentIsEnough) {
  EXPECT_EQ(success_at(1, ranking_of("bac"), kQrels), 0);
  EXPECT_EQ(success_at(2, ranking_of("bac"), kQrels), 1);
}

TEST(AveragePrecision, MatchesTheSumDoneByHand) {
  EXPECT_DOUBLE_EQ(average_precision_at(kWholeRanking, ranking_of("bacd"), kQrels),
                   (1.0 / 2 + 2.0 / 3) / 3);
  EXPECT_DOUBLE_EQ(average_precision_at(2, ranking_of("bacd"), kQrels), (1.0 / 2) / 3);
  EXPECT_EQ(average_precision_at(2, ranking_of("bacd"), {}), 0);
}

TEST(ReciprocalRank, IsZeroBelowTheCutoff) {
  EXPECT_DOUBLE_EQ(reciprocal_rank_at(kWholeRanking, ranking_of("bxa"), kQrels), 1.0 / 3);
  EXPECT_DOUBLE_EQ(reciprocal_rank_at(3, ranking_of("bxa"), kQrels), 1.0 / 3);
  EXPECT_EQ(reciprocal_rank_at(2, ranking_of("bxa"), kQrels), 0);
}

TEST(RelevantFrom, LowerGradesCountAsNotRelevant) {
  EXPECT_DOUBLE_EQ(precision_at(2, ranking_of("ac"), kQrels, 2), 1.0 / 2);
  EXPECT_DOUBLE_EQ(recall_at(2, ranking_of("ac"), kQrels, 2), 1);
  EXPECT_DOUBLE_EQ(average_precision_at(2, ranking_of("ac"), kQrels, 2), 1.0 / 2);
  EXPECT_DOUBLE_EQ(reciprocal_rank_at(2, ranking_of("ac"), kQrels, 2), 1.0 / 2);
  EXPECT_DOUBLE_EQ(r_precision(ranking_of("ac"), kQrels, 2), 0);
  EXPECT_DOUBLE_EQ(success_at(1, ranking_of("ac"), kQrels, 2), 0);
}

}  // namespace
}  // namespace rr
