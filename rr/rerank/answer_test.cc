#include "rr/rerank/answer.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rr/rerank/internal/fakes.h"

namespace rr {
namespace {

using internal::ByteTokenizer;
using ::testing::HasSubstr;

// "F|think" and so on: a letter a stage.
std::string text_of(const std::vector<Stage>& stages) {
  std::string text;
  for (const Stage& stage : stages) {
    if (const auto* forced = std::get_if<ForcedStage>(&stage)) text += forced->text;
    if (const auto* free = std::get_if<FreeStage>(&stage)) {
      text += fmt::format("{{free {}", free->max_tokens);
      for (const std::string& stop : free->stop) text += " " + stop;
      text += "}";
    }
    if (const auto* list = std::get_if<PermutationStage>(&stage)) {
      text += fmt::format("{{order of {}}}", list->size);
    }
  }
  return text;
}

TEST(AnswerStages, CloseTheThoughtsAndConstrainTheAnswer) {
  EXPECT_EQ(text_of(answer_stages(PromptMode::kReasoning, {}, 20, 500, 90)),
            "<think>\n{free 500 </think>}</think>\n<answer>{order of 20}</answer>");
  EXPECT_EQ(text_of(answer_stages(PromptMode::kQwen3, {}, 2, 7, 90)),
            "<think>\n{free 7 </think>}</think>\n<answer>{order of 2}</answer>");
  EXPECT_EQ(text_of(answer_stages(PromptMode::kDirect, {}, 20, 500, 90)), "{order of 20}");
}

TEST(AnswerStages, LeaveAFreeAnswerToTheModel) {
  const AnswerOptions free{.free_answer = true};
  EXPECT_EQ(text_of(answer_stages(PromptMode::kReasoning, free, 20, 3072, 90)), "{free 3172}");
  EXPECT_EQ(text_of(answer_stages(PromptMode::kDirect, free, 20, 3072, 90)), "{free 90}");
  EXPECT_EQ(text_of(answer_stages(PromptMode::kRankK, {}, 20, 100, 90)), "{free 200}");
}

TEST(DefaultSampling, IsGreedyButForQwen3) {
  EXPECT_EQ(default_sampling(PromptMode::kReasoning).temperature, 0);
  const Sampling qwen3 = default_sampling(PromptMode::kQwen3);
  EXPECT_EQ(qwen3.temperature, 0.6);
  EXPECT_EQ(qwen3.top_p, 0.95);
  EXPECT_EQ(qwen3.top_k, 20u);
  EXPECT_EQ(qwen3.min_p, 0);
}

TEST(MakeAnswerRequest, HandsMessagesToAGeneratorWithoutATextModel) {
  const Prompt prompt{{{Role::kUser, "hello"}}, {10, 30, 0}, 3};
  const auto answer = make_answer_request(prompt, Qid("7"), PromptMode::kReasoning, {}, nullptr);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->request.label, "7/3");
  EXPECT_EQ(std::get<Messages>(answer->request.prompt).front().content, "hello");
  EXPECT_FALSE(answer->thinking_was_cut);
}

// A model whose tokens are bytes, with a ChatML template.
class WithByteModel : public ::testing::Test {
 protected:
  TextModel model(std::size_t context) { return {&tokenizer_, &chat_.value(), context}; }
  ByteTokenizer tokenizer_;
  Result<ChatTemplate> chat_ = ChatTemplate::named("chatml");
};

Prompt prompt_of(const std::string& text, std::size_t size) {
  return {{{Role::kUser, text}}, {0, size, 0}, 0};
}

TEST_F(WithByteModel, NamesTopicWindowAndNumbersWhereThePromptDoesNotFit) {
  const TextModel small = model(300);
  const auto answer = make_answer_request(prompt_of(std::string(250, 'x'), 3), Qid("7"),
                                          PromptMode::kReasoning, {}, &small);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().where, "topic 7, window of ranks 1-3");
  EXPECT_THAT(answer.error().message, HasSubstr("context holds 300"));
  EXPECT_THAT(answer.error().message, HasSubstr("--passage-tokens"));
}

TEST_F(WithByteModel, LeavesToTheThoughtsWhatTheContextLeaves) {
  const TextModel large = model(100000);
  const TextModel small = model(500);
  const Prompt prompt = prompt_of("hello", 3);
  const auto thinking = [&](const TextModel& with) {
    const auto answer = make_answer_request(prompt, Qid("7"), PromptMode::kReasoning,
                                            {.max_thinking = 1000}, &with);
    return std::pair(std::get<FreeStage>(answer->request.stages[1]).max_tokens,
                     answer->thinking_was_cut);
  };
  EXPECT_EQ(thinking(large), std::pair(std::size_t{1000}, false));
  const auto [tokens, was_cut] = thinking(small);
  EXPECT_TRUE(was_cut);
  const auto answer =
      make_answer_request(prompt, Qid("7"), PromptMode::kReasoning, {.max_thinking = 1000}, &small);
  const std::size_t prompt_tokens = std::get<TokenIds>(answer->request.prompt).size();
  // "<think>\n" 8, "</think>\n<answer>" 17, "[1] > [2] > [3]" 15, "</answer>" 9, and 8 to spare.
  EXPECT_EQ(prompt_tokens + tokens + 8 + 17 + 15 + 9 + 8, 500u);
}

TEST_F(WithByteModel, KeepsControlTokensOutOfPassagesUnlessToldOtherwise) {
  const TextModel large = model(100000);
  const Prompt prompt = prompt_of("a <|im_end|> b", 1);
  const auto count = [&](bool may_control) {
    AnswerOptions options;
    options.passages_may_control = may_control;
    const auto answer = make_answer_request(prompt, Qid("7"), PromptMode::kDirect, options, &large);
    const auto& ids = std::get<TokenIds>(answer->request.prompt);
    return std::count(ids.begin(), ids.end(), 256);
  };
  EXPECT_EQ(count(true), count(false) + 1);
}

class FitTest : public WithByteModel {
 protected:
  // Passages of these lengths, best first.
  static std::vector<Request> request_with(const std::vector<std::size_t>& lengths) {
    Request request{{Qid("7"), "?", {}}, {}, {}};
    for (const std::size_t length : lengths) {
      request.candidates.push_back(
          {Docid(std::to_string(request.candidates.size())), "", std::string(length, 'x')});
      request.scores.push_back(0);
    }
    return {request};
  }
  const PromptBuilder prompts_{PromptOptions{.mode = PromptMode::kDirect}};
};

TEST_F(FitTest, RefusesAWindowThatTheLongestSurvivorsCouldFill) {
  // Windows of 2 over 3: (1,3), then (0,2) with one of the two seen. The frame takes about 700.
  const SlidingWindows windows(2, 1);
  const TextModel small = model(2000);
  EXPECT_TRUE(check_prompts_fit(request_with({500, 100, 500}), windows, prompts_, {}, small).ok());
  const auto refused =
      check_prompts_fit(request_with({800, 100, 800}), windows, prompts_, {}, small);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().where, "topic 7, window of ranks 1-2");
  // The last two alone fill the first window.
  const auto first = check_prompts_fit(request_with({1, 800, 800}), windows, prompts_, {}, small);
  ASSERT_FALSE(first.ok());
  EXPECT_EQ(first.error().where, "topic 7, window of ranks 2-3");
}

TEST_F(FitTest, NeverPassesWhatALaterWindowIsRefusedFor) {
  const SlidingWindows windows(3, 2);
  for (std::size_t context = 900; context < 2500; context += 50) {
    const TextModel small = model(context);
    const std::vector<Request> requests = request_with({300, 50, 400, 200, 350, 100});
    if (!check_prompts_fit(requests, windows, prompts_, {}, small).ok()) continue;
    RerankSession session(requests.front(), windows, prompts_);
    while (const auto prompt = session.next_prompt()) {
      EXPECT_TRUE(make_answer_request(*prompt, Qid("7"), PromptMode::kDirect, {}, &small).ok());
      Completion longest_first;
      longest_first.text = "[3] > [1] > [2]";
      session.accept(longest_first);
    }
  }
}

TEST_F(WithByteModel, CutsPassagesByTokensWithOneLossyDecode) {
  // Bytes as tokens: a cut inside "ö" leaves an incomplete character.
  EXPECT_EQ(cut_to_tokens(tokenizer_, 4)("schön").text, "sch\uFFFD");
  EXPECT_TRUE(cut_to_tokens(tokenizer_, 4)("schön").was_cut);
  EXPECT_EQ(cut_to_tokens(tokenizer_, 6)("schön").text, "schön");
  EXPECT_FALSE(cut_to_tokens(tokenizer_, 6)("schön").was_cut);
  // A special token counts as one, as in the published code.
  EXPECT_EQ(cut_to_tokens(tokenizer_, 2)("a<|im_end|>b").text, "a<|im_end|>");
}

}  // namespace
}  // namespace rr
