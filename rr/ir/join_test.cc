#include "rr/ir/join.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace rr {
namespace {

Topic topic_of(const char* qid, std::vector<Docid> excluded = {}) {
  return {Qid(qid), "query", std::move(excluded)};
}

// One docid a letter, scores falling.
Ranking ranking_of(const char* qid, std::string_view letters) {
  Ranking ranking{Qid(qid), {}};
  double score = 0;
  for (const char letter : letters) {
    ranking.docs.push_back({Docid(std::string(1, letter)), --score});
  }
  return ranking;
}

Passages passages_of(std::string_view letters) {
  Passages passages;
  for (const char letter : letters) {
    const Docid docid(std::string(1, letter));
    passages.emplace(docid, Passage{docid, "", "text of " + docid.str()});
  }
  return passages;
}

std::string docids_of(const Request& request) {
  std::string docids;
  for (const Passage& passage : request.candidates) docids += passage.docid.str();
  return docids;
}

TEST(JoinRequests, KeepsTheOrderOfTheRunAndCutsItsDepth) {
  const rr::Run run{"t", {ranking_of("2", "cab"), ranking_of("1", "ab")}};
  const auto joined =
      join_requests({topic_of("1"), topic_of("2"), topic_of("3")}, run, passages_of("abc"), 2);
  ASSERT_TRUE(joined.ok());
  ASSERT_EQ(joined->requests.size(), 2u);
  EXPECT_EQ(joined->requests[0].topic.qid, Qid("2"));
  EXPECT_EQ(docids_of(joined->requests[0]), "ca");
  EXPECT_EQ(joined->requests[0].scores, (std::vector<double>{-1, -2}));
  EXPECT_EQ(joined->requests[0].candidates[0].text, "text of c");
  EXPECT_EQ(joined->topics_without_ranking, 1u);
}

TEST(JoinRequests, AnExcludedDocumentTakesNoPlace) {
  const rr::Run run{"t", {ranking_of("1", "abcd")}};
  const std::vector<Topic> topics = {topic_of("1", {Docid("b"), Docid("z")})};
  const auto joined = join_requests(topics, run, passages_of("acd"), 2);
  ASSERT_TRUE(joined.ok());
  EXPECT_EQ(docids_of(joined->requests[0]), "ac");
  EXPECT_EQ(joined->excluded_candidates, 1u);
  EXPECT_EQ(wanted_docids(topics, run, 2), (std::unordered_set<Docid>{Docid("a"), Docid("c")}));
}

TEST(JoinRequests, ADocumentThatTheCorpusLacksIsNamed) {
  const rr::Run run{"t", {ranking_of("1", "abc")}};
  const auto joined = join_requests({topic_of("1")}, run, passages_of("ac"), 3);
  ASSERT_FALSE(joined.ok());
  EXPECT_EQ(joined.error().code, Errc::kNotFound);
  EXPECT_EQ(joined.error().message,
            "the run names document \"b\" for topic \"1\", and the corpus lacks it; do the two "
            "belong together?");
  EXPECT_TRUE(join_requests({topic_of("1")}, run, passages_of("ac"), 1).ok());
}

TEST(JoinRequests, ATopicThatOnlyTheRunKnowsIsNamed) {
  const rr::Run run{"t", {ranking_of("9", "a")}};
  const auto joined = join_requests({topic_of("1")}, run, passages_of("a"), 3);
  ASSERT_FALSE(joined.ok());
  EXPECT_EQ(joined.error().message,
            "the run ranks topic \"9\", and the topics lack it; do the two belong together?");
}

}  // namespace
}  // namespace rr
