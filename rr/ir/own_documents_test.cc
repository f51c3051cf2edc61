#include "rr/ir/own_documents.h"

#include <gtest/gtest.h>

namespace rr {
namespace {

TEST(ExcludeOwnDocuments, TakesOutTheDocumentThatIsTheTopic) {
  rr::Run run{"t",
              {{Qid("a"), {{Docid("b"), 3}, {Docid("a"), 2}, {Docid("aa"), 1}}},
               {Qid("c"), {{Docid("a"), 1}}}}};
  EXPECT_EQ(exclude_own_documents(run), 1u);
  ASSERT_EQ(run.rankings[0].docs.size(), 2u);
  EXPECT_EQ(run.rankings[0].docs[1].docid, Docid("aa"));
  EXPECT_EQ(run.rankings[1].docs.size(), 1u);
}

}  // namespace
}  // namespace rr
