#include "rr/rerank/replay.h"

#include <gtest/gtest.h>

#include "rr/rerank/driver.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

// What rank_llm's systems replied on TREC DL 2019 and the order that came of it: two systems that
// mostly write a permutation, two that mostly do not.
class RecordedSystems : public ::testing::TestWithParam<const char*> {};

TEST_P(RecordedSystems, ComeOutInTheRecordedOrder) {
  const auto path = shared_data("trec-dl19-rerank/replay") / GetParam();
  RR_NEEDS_FILE(path);
  const auto recorded = read_trace(path);
  ASSERT_TRUE(recorded.ok()) << recorded.error().to_string();
  ASSERT_EQ(recorded->size(), 43u);
  std::vector<Request> requests;
  for (const TopicTrace& topic : recorded.value()) requests.push_back(request_of(topic));
  const PublishedLoop loop{LoopOptions{}};
  ASSERT_TRUE(check_recording(recorded.value(), requests, loop).ok());

  RecordedGenerator generator(recorded.value());
  const PromptBuilder prompts({.mode = PromptMode::kDirect});
  DriverOptions options;
  options.session = {.parser = ParserRule::kPublished, .scores = ScoreRule::kPublished};
  RerankListener listener;
  const auto run = rerank_all(requests, generator, loop, prompts, options, listener);
  ASSERT_TRUE(run.ok()) << run.error().to_string();
  std::size_t windows = 0;
  for (std::size_t t = 0; t < requests.size(); ++t) {
    windows += run->topics[t].report.windows;
    std::vector<std::string> got;
    std::vector<std::string> expected;
    for (const auto& doc : run->topics[t].ranking.docs) got.push_back(doc.docid.str());
    for (const auto& doc : recorded.value()[t].ranking) expected.push_back(doc.docid.str());
    EXPECT_EQ(got, expected) << requests[t].topic.qid.str();
    ASSERT_EQ(got.size(), 100u);
  }
  EXPECT_EQ(windows, 43u * 9u);
}

INSTANTIATE_TEST_SUITE_P(TrecDl19, RecordedSystems,
                         ::testing::Values("rankvicuna_on_bm25.jsonl", "rankvicuna_on_splade.jsonl",
                                           "vicuna7b_zeroshot_malformed_on_bm25.jsonl",
                                           "vicuna13b_zeroshot_malformed_on_bm25.jsonl"),
                         [](const auto& name) {
                           const std::string file = name.param;
                           return file.substr(0, file.find('.'));
                         });

}  // namespace
}  // namespace rr
