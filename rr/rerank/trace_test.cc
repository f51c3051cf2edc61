#include "rr/rerank/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "rr/rerank/replay.h"

namespace rr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const PromptBuilder kReasoning(PromptOptions{.cut = cut_to_words(3)});
const SlidingWindows kWindows(2, 1);

Request request() {
  return {{Qid("7"), "why [1]?", {}},
          {{Docid("a"), "", "one"}, {Docid("b b"), "T", "two"}, {Docid("c"), "", "1 2 3 4"}},
          {3, 2, 1}};
}

Completion completion(const std::string& list, std::vector<IdentifierChoice> choices) {
  Completion completion;
  completion.text = "<think>\nhm\n</think>\n<answer>" + list + "</answer>";
  completion.stages.push_back({9, 4, StopReason::kEnd, std::move(choices)});
  completion.prompt_tokens = 100;
  completion.prefill_s = 0.5;
  completion.decode_s = 0.25;
  return completion;
}

// Windows (1,3) and (0,2): the second answer is off its format.
RerankSession finished_session(const Request& request) {
  RerankSession session(request, kWindows, kReasoning);
  session.accept(completion("[2] > [1]", {{2, std::log(0.75)}, {1, 0}}));
  session.accept(completion("[2] > [2] > [9]", {}));
  return session;
}

Result<TopicTrace> through_json(const RerankSession& session, const PromptBuilder* prompts) {
  const TopicResult result{session.ranking(), session.report(), 1, 2.5};
  const std::string line =
      to_json_line(topic_to_json(session, result, {{"mode", "reasoning"}, {"window", 2}}, prompts));
  RR_TRY(const Json json, parse_json(line, "test"));
  return topic_from_json(json, "test");
}

TEST(Trace, ReadsBackWhatItWrote) {
  const Request topic = request();
  const RerankSession session = finished_session(topic);
  const auto trace = through_json(session, nullptr);
  ASSERT_TRUE(trace.ok()) << trace.error().to_string();
  EXPECT_EQ(trace->qid, Qid("7"));
  EXPECT_EQ(trace->query, "why (1)?");
  EXPECT_EQ(trace->settings["window"], 2);
  EXPECT_EQ(trace->seconds, 2.5);
  EXPECT_EQ(trace->thinking_cut, 1u);
  ASSERT_EQ(trace->candidates.size(), 3u);
  EXPECT_EQ(trace->candidates[1].text, "Title: T Content:");
  EXPECT_TRUE(trace->candidates[2].was_cut);
  EXPECT_EQ(trace->candidates[2].text, "1 2 3");
  ASSERT_EQ(trace->windows.size(), 2u);
  EXPECT_EQ(trace->windows[0].window, (Window{1, 3, 0}));
  EXPECT_THAT(trace->windows[0].docids, ElementsAre(Docid("b b"), Docid("c")));
  EXPECT_EQ(trace->windows[0].thoughts, "hm");
  EXPECT_EQ(trace->windows[0].answer, "[2] > [1]");
  EXPECT_THAT(trace->windows[0].order, ElementsAre(2, 1));
  EXPECT_THAT(trace->windows[0].logprobs, ElementsAre(std::log(0.75), 0));
  EXPECT_TRUE(trace->windows[0].repairs.empty());
  EXPECT_EQ(trace->windows[1].repairs["duplicated"], 1);
  EXPECT_EQ(trace->windows[1].repairs["out_of_range"], 1);
  EXPECT_EQ(trace->windows[1].repairs["missing"], 1);
  const Ranking ranking = session.ranking();
  ASSERT_EQ(trace->ranking.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(trace->ranking[i].docid, ranking.docs[i].docid);
    EXPECT_EQ(trace->ranking[i].score, ranking.docs[i].score);
  }
}

TEST(Trace, ReportsWhatTheSessionReported) {
  const Request topic = request();
  const RerankSession session = finished_session(topic);
  const auto trace = through_json(session, nullptr);
  ASSERT_TRUE(trace.ok());
  const RerankReport now = session.report();
  const RerankReport then = report_of(trace.value());
  EXPECT_EQ(then.windows, now.windows);
  EXPECT_EQ(then.incomplete_answers, now.incomplete_answers);
  EXPECT_EQ(then.duplicated, now.duplicated);
  EXPECT_EQ(then.missing, now.missing);
  EXPECT_EQ(then.passages, now.passages);
  EXPECT_EQ(then.cut_passages, now.cut_passages);
  EXPECT_EQ(then.prompt_tokens, now.prompt_tokens);
  EXPECT_EQ(then.completion_tokens, now.completion_tokens);
  EXPECT_EQ(then.forced_tokens, now.forced_tokens);
  EXPECT_EQ(then.ranks_as_scores, now.ranks_as_scores);
  EXPECT_EQ(then.model_s, now.model_s);
}

TEST(Trace, KeepsWholePromptsWhereAskedTo) {
  const Request topic = request();
  RerankSession session(topic, kWindows, kReasoning);
  const std::string first = session.next_prompt()->messages.back().content;
  session.accept(completion("[2] > [1]", {}));
  const TopicResult result{session.ranking(), session.report(), 0, 0};
  const Json json = topic_to_json(session, result, {{"mode", "reasoning"}}, &kReasoning);
  EXPECT_EQ(json["windows"][0]["messages"][1]["content"], first);
  EXPECT_EQ(json["windows"][0]["messages"][0]["role"], "system");
}

TEST(Trace, ReplaysToTheSameRankingAndScores) {
  const Request topic = request();
  RerankSession session(topic, kWindows, kReasoning);
  session.accept(completion("[2] > [1]", {{2, std::log(0.75)}, {1, 0}}));
  session.accept(completion("[1] > [2]", {{1, std::log(0.9)}, {2, 0}}));
  const auto trace = through_json(session, nullptr);
  ASSERT_TRUE(trace.ok());
  const std::vector<TopicTrace> recorded = {trace.value()};
  const std::vector<Request> again = {request_of(recorded[0])};
  ASSERT_TRUE(check_recording(recorded, again, kWindows).ok());
  RecordedGenerator generator(recorded);
  RerankListener listener;
  const auto run = rerank_all(again, generator, kWindows, kReasoning, {}, listener);
  ASSERT_TRUE(run.ok()) << run.error().to_string();
  const Ranking before = session.ranking();
  const Ranking after = run->topics[0].ranking;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(after.docs[i].docid, before.docs[i].docid);
    EXPECT_EQ(after.docs[i].score, before.docs[i].score);
  }
}

TEST(CheckRecording, RefusesOtherCandidatesWindowsAndTopics) {
  const Request topic = request();
  const auto trace = through_json(finished_session(topic), nullptr);
  ASSERT_TRUE(trace.ok());
  const std::vector<TopicTrace> recorded = {trace.value()};
  const auto message = [&](const Request& asked, const WindowPlanner& planner) {
    const auto status = check_recording(recorded, std::vector{asked}, planner);
    return status.ok() ? std::string() : status.error().to_string();
  };
  EXPECT_EQ(message(topic, kWindows), "");
  EXPECT_THAT(message(topic, SlidingWindows(3, 1)), HasSubstr("2 windows, these settings make 1"));
  EXPECT_THAT(message(topic, SlidingWindows({.window = 2, .stride = 2})),
              HasSubstr("ranks 1-2, with these settings it is 1-1"));
  Request other = topic;
  std::swap(other.candidates[0], other.candidates[1]);
  EXPECT_THAT(message(other, kWindows), HasSubstr("other candidates"));
  other = topic;
  other.topic.qid = Qid("8");
  EXPECT_THAT(message(other, kWindows), HasSubstr("topic 8"));
}

std::string error_of(const std::string& text) {
  const auto json = parse_json(text, "x:1");
  if (!json.ok()) return json.error().to_string();
  const auto trace = topic_from_json(json.value(), "x:1");
  return trace.ok() ? std::string() : trace.error().to_string();
}

TEST(Trace, RefusesWhatIsNone) {
  EXPECT_THAT(error_of("[1]"), HasSubstr("x:1"));
  EXPECT_THAT(error_of(R"({"qid": "1"})"), HasSubstr("query"));
  EXPECT_THAT(error_of(R"({"qid": "1", "query": "q", "initial": 3})"), HasSubstr("initial"));
  EXPECT_THAT(error_of(R"({"qid": "1", "query": "q", "initial": ["a", "a"], "windows": []})"),
              HasSubstr("twice"));
  EXPECT_THAT(error_of(R"({"qid": "1", "query": "q", "initial": ["a"], "windows": [7]})"),
              HasSubstr("window"));
  EXPECT_THAT(error_of(R"({"qid": "1", "query": "q", "initial": ["a"],
                           "windows": [{"start": 0, "end": 2, "response": ""}]})"),
              HasSubstr("1 candidates"));
  EXPECT_EQ(error_of(R"({"qid": 1, "query": "q", "initial": ["a"],
                         "windows": [{"start": 0, "end": 1, "response": ""}]})"),
            "");
}

}  // namespace
}  // namespace rr
