#include "rr/measures/set_measures.h"

#include <gtest/gtest.h>

#include <vector>

namespace rr {
namespace {

// 3 of 8 documents are relevant, of 4 in the qrels; 2 of 3 at grade 2 or above.
const JudgedRanking kRanking = {.grades = {0, kUnjudged, 1, 0, 3, kUnjudged, 2, -1},
                                .judgements = {4, 3, 2, 1, 0, 0, -1}};
const JudgedRanking kNothingFound = {.grades = {0, 0}, .judgements = {1, 0, 0}};
const JudgedRanking kEmpty = {.grades = {}, .judgements = {1, 0}};

// Values of ir_measures 0.4.3, which asks trec_eval.
TEST(SetMeasures, AreTrecEvals) {
  EXPECT_DOUBLE_EQ(set_precision(kRanking), 0.375);
  EXPECT_DOUBLE_EQ(set_precision(kRanking, 2), 0.25);
  EXPECT_DOUBLE_EQ(set_relative_precision(kRanking), 0.75);
  EXPECT_DOUBLE_EQ(set_recall(kRanking), 0.75);
  EXPECT_DOUBLE_EQ(set_f(kRanking), 0.5);
  EXPECT_DOUBLE_EQ(set_f(kRanking, 2), 0.5625);
  EXPECT_DOUBLE_EQ(set_f(kRanking, 0.5, 2), 0.31578947368421056);
  EXPECT_DOUBLE_EQ(set_average_precision(kRanking), 0.28125);
}

TEST(SetMeasures, AreZeroWhereNothingRelevantIsFound) {
  for (const JudgedRanking& ranking : {kNothingFound, kEmpty, JudgedRanking{}}) {
    EXPECT_EQ(set_precision(ranking), 0);
    EXPECT_EQ(set_relative_precision(ranking), 0);
    EXPECT_EQ(set_recall(ranking), 0);
    EXPECT_EQ(set_f(ranking), 0);
    EXPECT_EQ(set_f(ranking, 0), 0);
    EXPECT_EQ(set_average_precision(ranking), 0);
  }
}

}  // namespace
}  // namespace rr
