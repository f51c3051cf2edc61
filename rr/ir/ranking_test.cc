#include "rr/ir/ranking.h"

#include <gtest/gtest.h>

namespace rr {
namespace {

std::string docids_of(const Ranking& ranking) {
  std::string docids;
  for (const ScoredDocid& doc : ranking.docs) docids += doc.docid.str();
  return docids;
}

TEST(SortAsTrecEval, PutsHigherScoresFirstAndBreaksTiesByDocidDescending) {
  Ranking ranking{Qid("q"), {{Docid("a"), 1}, {Docid("b"), 2}, {Docid("c"), 1}, {Docid("d"), 1}}};
  sort_as_trec_eval(ranking);
  EXPECT_EQ(docids_of(ranking), "bdca");
}

TEST(SortAsTrecEval, ScoresThatAreOne32BitFloatTie) {
  // 0.1f is 0.100000001490...: both scores round to it, so the docid decides.
  Ranking ranking{Qid("q"), {{Docid("a"), 0.1000000015}, {Docid("b"), 0.1}}};
  sort_as_trec_eval(ranking);
  EXPECT_EQ(docids_of(ranking), "ba");
}

TEST(SortAsTrecEval, DocidsCompareAsUnsignedBytes) {
  Ranking ranking{Qid("q"), {{Docid("z"), 0}, {Docid("\xC3\xA9"), 0}, {Docid("Z"), 0}}};
  sort_as_trec_eval(ranking);
  EXPECT_EQ(docids_of(ranking), "\xC3\xA9zZ");
}

}  // namespace
}  // namespace rr
