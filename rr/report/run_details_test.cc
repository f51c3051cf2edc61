#include "rr/report/run_details.h"

#include <gtest/gtest.h>

namespace rr {
namespace {

const Qrels kQrels = {{Qid("2"), {{Docid("x"), 3}, {Docid("a"), 1}, {Docid("n"), 0}}},
                      {Qid("1"), {{Docid("y"), 1}}}};

TEST(RunDetails, HaveEveryRelevantDocumentWithItsRank) {
  // Out of order: trec_eval sees n (5), x (4), u (3).
  const rr::Run run{"tag",
                    {{Qid("2"), {{Docid("u"), 3}, {Docid("x"), 4}, {Docid("n"), 5}}},
                     {Qid("9"), {{Docid("y"), 1}}}}};
  const RunDetails details = details_of(run, kQrels);
  ASSERT_EQ(details.size(), 2u);
  EXPECT_EQ(details[0].qid, Qid("1"));
  ASSERT_EQ(details[0].relevant.size(), 1u);
  EXPECT_EQ(details[0].relevant[0].rank, 0u);
  EXPECT_EQ(details[0].precision[0], 0);
  ASSERT_EQ(details[1].relevant.size(), 2u);
  EXPECT_EQ(details[1].relevant[0].docid, Docid("a"));
  EXPECT_EQ(details[1].relevant[0].rank, 0u);
  EXPECT_EQ(details[1].relevant[1].docid, Docid("x"));
  EXPECT_EQ(details[1].relevant[1].rank, 2u);
  EXPECT_EQ(details[1].relevant[1].grade, 3);
  EXPECT_EQ(details[1].precision[0], 0.5);
}

TEST(RunDetails, CountAsRelevantFromTheGradeAskedFor) {
  const RunDetails details = details_of({}, kQrels, 2);
  EXPECT_TRUE(details[0].relevant.empty());
  ASSERT_EQ(details[1].relevant.size(), 1u);
  EXPECT_EQ(details[1].relevant[0].docid, Docid("x"));
}

}  // namespace
}  // namespace rr
