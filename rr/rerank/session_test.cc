#include "rr/rerank/session.h"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace rr {
namespace {

// A topic whose documents are the letters of `docids`, with scores n, n-1, ..., 1.
Request request_over(const std::string& docids) {
  Request request{{Qid("q"), "which letter?", {}}, {}, {}};
  for (const char c : docids) {
    request.candidates.push_back({Docid(std::string(1, c)), "", std::string("text of ") + c});
    request.scores.push_back(static_cast<double>(docids.size() - request.scores.size()));
  }
  return request;
}

std::string docids_of(const std::vector<const Passage*>& passages) {
  std::string docids;
  for (const Passage* passage : passages) docids += passage->docid.str();
  return docids;
}

std::string docids_of(const Ranking& ranking) {
  std::string docids;
  for (const ScoredDocid& doc : ranking.docs) docids += doc.docid.str();
  return docids;
}

Completion reply(const std::string& text) {
  Completion completion;
  completion.text = text;
  return completion;
}

const PromptBuilder kDirect(PromptOptions{.mode = PromptMode::kDirect});
const PromptBuilder kReasoning(PromptOptions{.mode = PromptMode::kReasoning});

TEST(RerankSession, KeepsEveryCandidateWhenTheModelRambles) {
  const Request request = request_over("abc");
  RerankSession session(request, SlidingWindows(20, 10), kDirect);
  session.accept(reply("I would say [3], maybe [7]?"));
  EXPECT_EQ(docids_of(session.passages()), "cab");
  EXPECT_EQ(session.report().incomplete_answers, 1u);
  EXPECT_EQ(session.report().out_of_range, 1u);
  EXPECT_EQ(session.report().missing, 2u);
}

TEST(RerankSession, RunsEachWindowOnWhatTheOnesBeforeItLeft) {
  const Request request = request_over("abcde");
  RerankSession session(request, SlidingWindows(3, 2), kDirect);  // (2,5) and (0,3)
  EXPECT_NE(session.next_prompt()->messages.back().content.find("[1] text of c\n[2] text of d"),
            std::string::npos);
  session.accept(reply("[3] > [1] > [2]"));
  EXPECT_EQ(docids_of(session.passages()), "abecd");
  EXPECT_NE(session.next_prompt()->messages.back().content.find(
                "[1] text of a\n[2] text of b\n[3] text of e\n"),
            std::string::npos);
  session.accept(reply("[3] > [2] > [1]"));
  EXPECT_EQ(docids_of(session.passages()), "ebacd");
  EXPECT_FALSE(session.next_prompt().has_value());
  EXPECT_EQ(session.report().windows, 2u);
  EXPECT_EQ(session.report().incomplete_answers, 0u);
}

// What two texts begin with.
std::string common(const std::string& a, const std::string& b) {
  return {a.begin(), std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first};
}

TEST(RerankSession, ForeseesWhatNoAnswerCanChange) {
  const Request request = request_over("abcdefg");
  RerankSession session(request, SlidingWindows(3, 2), kReasoning);  // (4,7), (2,5) and (0,3)
  for (const char* certain : {"[1] text of c\n[2] text of d\n", "[1] text of a\n[2] text of b\n"}) {
    const std::optional<RerankSession::Foreseen> foreseen = session.foresee();
    ASSERT_TRUE(foreseen.has_value());
    session.accept(reply("<answer>[3] > [1] > [2]</answer>"));
    const std::string next = session.next_prompt()->messages.back().content;
    const std::string sure = common(foreseen->one.back().content, foreseen->other.back().content);
    EXPECT_TRUE(next.starts_with(sure));
    EXPECT_NE(sure.find(certain), std::string::npos);
    EXPECT_EQ(sure.find("[3] text"), std::string::npos);
  }
  EXPECT_FALSE(session.foresee().has_value());  // no window is left
}

TEST(RerankSession, ForeseesNothingWhereTheNextWindowBeginsWithThisOne) {
  const Request request = request_over("abc");
  const RerankSession once(request, SlidingWindows(3, 2), kReasoning);
  EXPECT_FALSE(once.foresee().has_value());
}

TEST(RerankSession, RanksByTheWindowsThatRan) {
  const Request request = request_over("abcde");
  RerankSession session(request, SlidingWindows(3, 2), kDirect);  // (2,5) and (0,3)
  EXPECT_EQ(docids_of(session.ranking()), "abcde");
  EXPECT_EQ(session.report().windows_left, 2u);
  session.accept(reply("[3] > [1] > [2]"));
  EXPECT_EQ(docids_of(session.ranking()), "abecd");
  EXPECT_EQ(session.report().windows_left, 1u);
  EXPECT_EQ(session.report().topics_cut_short, 1u);
  session.accept(reply("[3] > [1] > [2]"));
  EXPECT_EQ(session.report().windows_left, 0u);
  EXPECT_EQ(session.report().topics_cut_short, 0u);
}

TEST(RerankSession, KeepsTheFirstStagesScoresInPlaceWhereAskedTo) {
  const Request request = request_over("abc");
  RerankSession session(request, SlidingWindows(20, 10), kDirect,
                        {.scores = ScoreRule::kPublished});
  session.accept(reply("[3] > [1] > [2]"));
  const Ranking ranking = session.ranking();
  EXPECT_EQ(docids_of(ranking), "cab");
  EXPECT_EQ(ranking.docs[0].score, 3);
  EXPECT_EQ(ranking.docs[2].score, 1);
}

TEST(RerankSession, ScoresByTheProbabilitiesOfTheChoices) {
  const Request request = request_over("abc");
  RerankSession session(request, SlidingWindows(20, 10), kDirect);
  Completion completion = reply("[3] > [1] > [2]");
  completion.stages.push_back(
      {5, 3, StopReason::kEnd, {{3, std::log(0.5)}, {1, std::log(0.6)}, {2, 0}}});
  session.accept(completion);
  const Ranking ranking = session.ranking();
  EXPECT_NEAR(ranking.docs[0].score, std::log(0.5), 1e-6);
  EXPECT_NEAR(ranking.docs[1].score, std::log(0.3), 1e-6);
  EXPECT_NEAR(ranking.docs[2].score, std::log(0.2), 1e-6);
  EXPECT_EQ(session.report().ranks_as_scores, 0u);
  EXPECT_EQ(session.report().forced_tokens, 3u);
}

TEST(RerankSession, DoesNotTrustChoicesThatAreNotTheOrderRead) {
  const Request request = request_over("abc");
  RerankSession session(request, SlidingWindows(20, 10), kDirect);
  Completion completion = reply("[3] > [1] > [2]");
  completion.stages.push_back({5, 3, StopReason::kEnd, {{1, -1}, {3, -1}, {2, 0}}});
  session.accept(completion);
  EXPECT_EQ(session.ranking().docs[1].score, 0.5);
  EXPECT_EQ(session.report().ranks_as_scores, 1u);
}

TEST(RerankSession, KeepsTheOrderWhereAReasonedReplyHasNoAnswer) {
  const Request request = request_over("abc");
  RerankSession ours(request, SlidingWindows(20, 10), kReasoning);
  ours.accept(reply("<think> passage 2 is best, then"));
  EXPECT_EQ(docids_of(ours.passages()), "abc");
  EXPECT_EQ(ours.report().no_answers, 1u);
  RerankSession published(request, SlidingWindows(20, 10), kReasoning,
                          {.parser = ParserRule::kPublished});
  published.accept(reply("<think> passage 2 is best, then"));
  EXPECT_EQ(docids_of(published.passages()), "bac");
  EXPECT_EQ(published.report().no_answers, 1u);
}

TEST(RerankSession, LeavesRanksBelowTheDepthAlone) {
  const Request request = request_over("abcde");
  RerankSession session(request, SlidingWindows({.rank_end = 3}), kDirect);
  session.accept(reply("[3] > [2] > [1]"));
  EXPECT_EQ(docids_of(session.passages()), "cbade");
  EXPECT_EQ(session.passage_text(4).text, "");
  EXPECT_EQ(session.report().passages, 3u);
}

TEST(RerankSession, CountsWhatWasCut) {
  const PromptBuilder prompts({.mode = PromptMode::kDirect, .cut = cut_to_words(2)});
  Request request = request_over("ab");
  request.candidates[1].text = "short";
  RerankSession session(request, SlidingWindows(20, 10), prompts);
  EXPECT_EQ(session.report().cut_passages, 1u);
  EXPECT_EQ(session.report().passages, 2u);
}

// An answer alone has room for one permutation, and ends with it.
TEST(RerankSession, CountsBudgetsOfReasoningAlone) {
  const Request request = request_over("abc");
  Completion cut = reply("[3] > [1] > [2]");
  cut.stages.emplace_back().stop = StopReason::kLength;
  RerankSession direct(request, SlidingWindows(20, 10), kDirect);
  direct.accept(cut);
  EXPECT_EQ(direct.report().budgets_spent, 0u);
  RerankSession reasoning(request, SlidingWindows(20, 10), kReasoning);
  reasoning.accept(cut);
  EXPECT_EQ(reasoning.report().budgets_spent, 1u);
}

TEST(RerankSession, AsksNothingAboutNoCandidates) {
  const Request request = request_over("");
  const RerankSession session(request, SlidingWindows(20, 10), kDirect);
  EXPECT_FALSE(session.next_prompt().has_value());
  EXPECT_TRUE(session.ranking().docs.empty());
}

RC_GTEST_PROP(RerankSession, RanksEveryCandidateOnceWhateverTheModelSays, ()) {
  Request request{{Qid("q"), "?", {}}, {}, {}};
  const auto n = *rc::gen::inRange<std::size_t>(0, 60);
  for (std::size_t i = 0; i < n; ++i) {
    request.candidates.push_back({Docid(std::to_string(i)), "", "t"});
    request.scores.push_back(-static_cast<double>(i));
  }
  LoopOptions loop;
  loop.window = *rc::gen::inRange<std::size_t>(1, 30);
  loop.stride = *rc::gen::inRange<std::size_t>(1, loop.window + 1);
  loop.passes = *rc::gen::inRange<std::size_t>(1, 3);
  const bool reasoned = *rc::gen::arbitrary<bool>();
  RerankSession session(request, SlidingWindows(loop), reasoned ? kReasoning : kDirect);
  while (session.next_prompt()) {
    std::string text = reasoned ? "<think></think><answer>" : "";
    for (const int number : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 35))) {
      text += std::to_string(number) + " ";
    }
    session.accept(reply(text + *rc::gen::arbitrary<std::string>()));
  }
  const Ranking ranking = session.ranking();
  std::set<Docid> docids;
  for (const ScoredDocid& doc : ranking.docs) docids.insert(doc.docid);
  RC_ASSERT(ranking.docs.size() == n);
  RC_ASSERT(docids.size() == n);
  for (std::size_t i = 1; i < n; ++i) {
    RC_ASSERT(static_cast<float>(ranking.docs[i].score) <
              static_cast<float>(ranking.docs[i - 1].score));
  }
}

TEST(ShuffleCandidates, DependsOnTheSeedAndTheTopicOnlyAndKeepsScoresInPlace) {
  const Request original = request_over("abcdefghij");
  const auto shuffled = [&](std::uint64_t seed, const char* qid) {
    Request request = original;
    request.topic.qid = Qid(qid);
    shuffle_candidates(request, 2, 8, seed);
    std::string docids;
    for (const Passage& passage : request.candidates) docids += passage.docid.str();
    EXPECT_EQ(request.scores, original.scores);
    return docids;
  };
  EXPECT_EQ(shuffled(1, "q"), shuffled(1, "q"));
  EXPECT_NE(shuffled(1, "q"), shuffled(2, "q"));
  EXPECT_NE(shuffled(1, "q"), shuffled(1, "r"));
  EXPECT_EQ(shuffled(1, "q").substr(0, 2), "ab");
  EXPECT_EQ(shuffled(1, "q").substr(8), "ij");
}

}  // namespace
}  // namespace rr
