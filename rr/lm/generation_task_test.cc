#include "rr/lm/generation_task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "rr/lm/fake_tokenizer.h"

namespace rr {
namespace {

using ::testing::HasSubstr;

const FakeTokenizer kTokenizer({"hello ", "world"});
const TextModel kModel = {.tokenizer = &kTokenizer, .chat = nullptr, .context_length = 20};

struct Heard {
  std::string text;
  std::vector<Completion> ends;

  GenerationListener listener() {
    return [this](const GenerationEvent& event) {
      text += event.text;
      if (event.completion != nullptr) ends.push_back(*event.completion);
    };
  }
};

std::string refusal(GenerationRequest request) {
  const auto task = GenerationTask::create(1, std::move(request), {}, kModel);
  return task.ok() ? "" : task.error().to_string();
}

TEST(GenerationTask, RefusesWhatNoGeneratorCanDo) {
  EXPECT_THAT(refusal({TokenIds{1}, {}, {}, "q7/0"}), HasSubstr("at least one stage"));
  EXPECT_THAT(refusal({TokenIds{1}, {}, {}, "q7/0"}), HasSubstr("q7/0"));
  EXPECT_THAT(refusal({TokenIds{}, {FreeStage{5, {}}}, {}, ""}), HasSubstr("an empty one"));
  EXPECT_THAT(refusal({TokenIds{1, 9999}, {FreeStage{5, {}}}, {}, ""}), HasSubstr("at position 1"));
  EXPECT_THAT(refusal({Messages{{Role::kUser, "?"}}, {FreeStage{5, {}}}, {}, ""}),
              HasSubstr("no chat template"));
  EXPECT_THAT(refusal({TokenIds(16, 65), {FreeStage{5, {}}}, {}, ""}),
              HasSubstr("the prompt has 16 tokens and 5 may be written, more than the model's "
                        "context of 20"));
  EXPECT_EQ(refusal({TokenIds(15, 65), {FreeStage{5, {}}}, {}, ""}), "");
}

// The model reads token by token, as an engine would have it do, and is asked for what it says.
TEST(GenerationTask, IsWrittenTokenByToken) {
  const TokenId world = *kTokenizer.find_token("world");
  Heard heard;
  auto task = GenerationTask::create(
                  3, {TokenIds{65, 66}, {ForcedStage{"hello "}, FreeStage{4, {}}}, {}, ""},
                  heard.listener(), kModel)
                  .value();
  EXPECT_EQ(task->most_tokens(), 7u);
  EXPECT_EQ(task->num_to_read(), 3u);  // what is forced stands there
  const auto scores = scripted_scores(2, {0, world, 33}, kTokenizer.end_tokens().front());
  TokenIds read;
  std::vector<float> row(kTokenizer.vocabulary_size());
  while (read.size() < task->num_to_read()) {
    read.push_back(task->token(read.size()));
    if (read.size() < task->prompt().size()) continue;
    scores(read, row);
    task->take(row, read.size() - task->prompt().size());
    task->tell_text();
  }
  EXPECT_TRUE(task->is_complete());
  EXPECT_EQ(heard.text, "hello world!");
  task->tell_end(true, 1);
  ASSERT_EQ(heard.ends.size(), 1u);
  const Completion& end = heard.ends.front();
  EXPECT_EQ(end.text, heard.text);
  EXPECT_EQ(end.stop, StopReason::kEnd);
  EXPECT_EQ(end.cached_tokens, 1u);
  ASSERT_EQ(end.token_logprobs.size(), 3u);
  // One score is 5 and all others 0: e^5 / (e^5 + V - 1), and of "hello ", which was not the best,
  // 1 / (e^5 + V - 1).
  const double others = static_cast<double>(kTokenizer.vocabulary_size()) - 1;
  EXPECT_NEAR(end.token_logprobs[0], -std::log(std::exp(5) + others), 1e-5);
  EXPECT_NEAR(end.token_logprobs[1], 5 - std::log(std::exp(5) + others), 1e-5);
  ASSERT_TRUE(end.end.has_value());
  EXPECT_NEAR(end.end->logprob, end.token_logprobs[1], 1e-6);
}

TEST(GenerationTask, FailsWhereScoresAreNoNumbers) {
  Heard heard;
  auto task = GenerationTask::create(1, {TokenIds{65}, {FreeStage{4, {}}}, {}, ""},
                                     heard.listener(), kModel)
                  .value();
  const std::vector<float> row(kTokenizer.vocabulary_size(),
                               std::numeric_limits<float>::quiet_NaN());
  task->take(row, 0);
  EXPECT_TRUE(task->has_failed());
  task->tell_end(true, 0);
  EXPECT_EQ(heard.ends.at(0).stop, StopReason::kFailed);
  EXPECT_THAT(heard.ends.at(0).error->message, HasSubstr("not numbers"));
}

}  // namespace
}  // namespace rr
