#include "rr/ir/requests_file.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rr/ir/internal/test_file.h"
#include "rr/ir/run_file.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

using ::testing::HasSubstr;

constexpr const char* kCurrent =
    R"({"query": {"text": "why?", "qid": 3}, "candidates": [)"
    R"({"docid": "a", "score": 2, "doc": {"title": "T", "text": "first"}},)"
    R"({"docid": 7, "score": 1.5, "doc": {"contents": "second"}}]})";
constexpr const char* kOlder =
    R"({"query": "why?", "hits": [)"
    R"({"content": "first", "qid": 3, "docid": "a", "rank": 1, "score": 2.0},)"
    R"({"content": "second", "qid": 3, "docid": "7", "rank": 2, "score": 1.5}]})";

// "qid|query|docid:score:title:text,...;" for each request, or what went wrong.
std::string contents_of(std::string_view text) {
  const TestFile file(text);
  const auto read = read_requests(file.path());
  if (!read.ok()) return failure_of(read, file);
  std::string contents;
  for (const Request& request : read->requests) {
    EXPECT_EQ(request.candidates.size(), request.scores.size());
    contents += request.topic.qid.str() + "|" + request.topic.query + "|";
    for (std::size_t i = 0; i < request.candidates.size(); ++i) {
      const Passage& passage = request.candidates[i];
      contents += passage.docid.str() + ":" + std::to_string(request.scores[i]).substr(0, 4) + ":" +
                  passage.title + ":" + passage.text + ",";
    }
    contents += ";";
  }
  return contents;
}

TEST(ReadRequests, BothLayoutsOfRankLlmAreKnown) {
  EXPECT_EQ(contents_of(kCurrent), "3|why?|a:2.00:T:first,7:1.50::second,;");
  EXPECT_EQ(contents_of(kOlder), "3|why?|a:2.00::first,7:1.50::second,;");
}

TEST(ReadRequests, AnArrayOneRequestAndLinesAllWork) {
  const std::string other = R"({"query": {"text": "how?", "qid": "4"}, "candidates": []})";
  const std::string expected = "3|why?|a:2.00:T:first,7:1.50::second,;4|how?|;";
  EXPECT_EQ(contents_of(fmt::format("[{},\n{}]", kCurrent, other)), expected);
  EXPECT_EQ(contents_of(fmt::format("{}\r\n\n{}", kCurrent, other)), expected);
  EXPECT_EQ(contents_of("\xEF\xBB\xBF{\n\"query\": \"q\",\n\"candidates\": []}"), "1|q|;");
  EXPECT_EQ(contents_of(""), "");
  EXPECT_EQ(contents_of("[]"), "");
}

TEST(ReadRequests, WithoutScoresTheyAreReciprocalRanks) {
  EXPECT_EQ(contents_of(R"({"query": "q", "candidates": [{"docid": "a", "doc": "x"},)"
                        R"({"docid": "b", "doc": {"passage": "y"}}]})"),
            "1|q|a:1.00::x,b:0.50::y,;");
  EXPECT_EQ(contents_of(R"({"query": "q", "candidates": [{"docid": "a", "doc": "x", "score": 3},)"
                        R"({"docid": "b", "doc": "y"}]})"),
            ", request 1: expected a score for every candidate or for none, found 1 for 2");
}

TEST(ReadRequests, WhatIsWrongIsNamedWithItsRequestAndCandidate) {
  EXPECT_EQ(contents_of(fmt::format("[{},{}]", kCurrent, kOlder)),
            ", request 2: expected each topic once, found \"3\" again");
  EXPECT_EQ(contents_of(R"({"query": "q", "candidates": [{"docid": "a", "doc": "x"},)"
                        R"({"docid": "a", "doc": "y"}]})"),
            ", request 1, candidate 2: expected each document once in a topic, found \"a\" again");
  EXPECT_THAT(contents_of(R"({"query": "q", "candidates": [{"doc": "x"}]})"),
              HasSubstr("candidate 1: expected a docid in"));
  EXPECT_THAT(contents_of(R"({"query": "q", "candidates": [{"docid": "a"}]})"),
              HasSubstr("candidate 1: expected the passage's text in"));
  EXPECT_THAT(contents_of(R"({"query": "q", "candidates": [{"docid": "a", "doc": 3}]})"),
              HasSubstr("expected \"doc\" to be an object or a string, found number"));
  EXPECT_THAT(contents_of(R"({"query": "q", "candidates": ["a"]})"),
              HasSubstr("expected a candidate as an object, found string"));
  EXPECT_THAT(contents_of(R"({"query": " ", "candidates": []})"), HasSubstr("found only blanks"));
  EXPECT_THAT(contents_of(R"({"query": {"qid": 1}, "candidates": []})"), HasSubstr("\"text\""));
  EXPECT_THAT(contents_of(R"({"query": "q"})"), HasSubstr("a list \"candidates\" or \"hits\""));
  EXPECT_THAT(contents_of("[1]"), HasSubstr("expected a request as an object, found number"));
  EXPECT_THAT(contents_of(R"({"query": "q", "hits": [{"qid": 1, "docid": "a", "content": "x"},)"
                          R"({"qid": 2, "docid": "b", "content": "y"}]})"),
              HasSubstr("expected one qid in a request, found \"1\" and \"2\""));
  EXPECT_THAT(contents_of(R"({"query": "q", "candidates": [{"docid": "a", "doc": "x", "score": ")"
                          R"(high"}]})"),
              HasSubstr("expected \"score\" to be a finite number, found string"));
  EXPECT_THAT(contents_of("qid Q0 docid"), HasSubstr("expected JSON"));
  EXPECT_THAT(contents_of(fmt::format("{}\n{{\"query\"", kCurrent)), HasSubstr("2: expected JSON"));
}

TEST(ReadRequests, TheRequestsOfDeepLearning2019HoldTheirRun) {
  const auto folder = shared_data("trec-dl19-rerank");
  RR_NEEDS_FILE(folder);
  const auto read = read_requests(folder / "retrieve_results_BM25_dl19.json");
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  const auto run = read_run(folder / "runs/bm25.txt");
  ASSERT_TRUE(run.ok());
  ASSERT_EQ(read->requests.size(), 43u);
  for (std::size_t i = 0; i < 43; ++i) {
    const Request& request = read->requests[i];
    const Ranking& ranking = run->run.rankings[i];
    ASSERT_EQ(request.topic.qid, ranking.qid);
    ASSERT_EQ(request.candidates.size(), 100u);
    for (std::size_t j = 0; j < 100; ++j) {
      ASSERT_EQ(request.candidates[j].docid, ranking.docs[j].docid);
      ASSERT_EQ(request.scores[j], ranking.docs[j].score);
    }
  }
}

TEST(ReadRequests, NovelevalIsRead) {
  const auto path = shared_data("noveleval/data.json");
  RR_NEEDS_FILE(path);
  const auto read = read_requests(path);
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(read->requests.size(), 21u);
  EXPECT_EQ(read->requests[0].candidates.size(), 20u);
  EXPECT_EQ(read->requests[0].candidates[0].docid, Docid("0-0"));
}

}  // namespace
}  // namespace rr
