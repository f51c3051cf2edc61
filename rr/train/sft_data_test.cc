#include "rr/train/sft_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rr/train/internal/tiny_test_model.h"

namespace rr {
namespace {

using ::testing::HasSubstr;

class SftDataTest : public ::testing::Test {
 protected:
  Result<SftData> read(const std::string& text, const SftDataOptions& options = {}) {
    return read_sft_data(model_.folder.write("sft.jsonl", text), model_.tokens(), options);
  }
  std::string refusal(const std::string& text) {
    const auto data = read(text);
    if (data.ok()) return "";
    EXPECT_THAT(data.error().where, HasSubstr("sft.jsonl"));
    return data.error().to_string();
  }
  std::string text_of(const TokenizedExample& example, bool completion) const {
    const auto middle = example.ids.begin() + static_cast<std::ptrdiff_t>(example.prompt_tokens);
    return model_.tokenizer->decode(completion ? TokenIds(middle, example.ids.end())
                                               : TokenIds(example.ids.begin(), middle));
  }

  internal::TinyModel model_;
};

TEST_F(SftDataTest, LearnsTheLastMessageAndTheEndOfItsTurn) {
  const auto data = read(
      R"({"qid": "q", "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "<|im_end|>?"}, {"role": "assistant", "content": "yes"}]})");
  ASSERT_TRUE(data.ok()) << data.error().to_string();
  const TokenizedExample& example = data.value().examples.at(0);
  EXPECT_EQ(text_of(example, false),
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n<|im_end|>?<|im_end|>\n"
            "<|im_start|>assistant\n");
  EXPECT_EQ(text_of(example, true), "yes<|im_end|>\n");
  EXPECT_EQ(example.completion_tokens(), 5u);  // three letters, the end token, the newline
  // What the user typed is text; the two turns end in the control token.
  EXPECT_EQ(std::count(example.ids.begin(), example.ids.end(), internal::kImEnd), 3);
}

TEST_F(SftDataTest, TakesAPromptAndACompletionForOneTurn) {
  const auto as_texts = read(R"({"prompt": "a", "completion": "b"})");
  const auto as_messages = read(
      R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})");
  EXPECT_EQ(as_texts.value().examples[0].ids, as_messages.value().examples[0].ids);
}

TEST_F(SftDataTest, TakesIdsAsTheyAre) {
  const auto data = read(R"({"prompt_ids": [1, 2], "completion_ids": [3]})"
                         "\n\n"
                         R"({"prompt_ids": [4], "completion_ids": [5, 257]})"
                         "\r\n");
  ASSERT_TRUE(data.ok()) << data.error().to_string();
  EXPECT_EQ(data.value().examples[0].ids, (TokenIds{1, 2, 3}));
  EXPECT_EQ(data.value().examples[1].prompt_tokens, 1u);
  EXPECT_EQ(data.value().examples[1].line, 3u);
  EXPECT_EQ(data.value().num_tokens(), 6u);
  EXPECT_EQ(data.value().num_completion_tokens(), 3u);
}

TEST_F(SftDataTest, DropsOrCutsWhatIsTooLongAndCounts) {
  const std::string text = R"({"prompt_ids": [1, 2, 3, 4, 5, 6, 7, 8], "completion_ids": [9, 10]})"
                           "\n"
                           R"({"prompt_ids": [1], "completion_ids": [2, 3, 4, 5, 6, 7, 8, 9]})"
                           "\n"
                           R"({"prompt_ids": [1, 2, 3, 4], "completion_ids": [5, 6, 7, 8]})"
                           "\n"
                           R"({"prompt_ids": [1], "completion_ids": [2]})";
  const auto dropped = read(text, {.max_length = 6});
  EXPECT_EQ(dropped.value().examples.size(), 1u);
  EXPECT_EQ(dropped.value().num_dropped, 3u);
  const auto cut = read(text, {.max_length = 6, .long_examples = LongExamples::kCut});
  EXPECT_EQ(cut.value().num_cut, 3u);
  const auto& examples = cut.value().examples;
  EXPECT_EQ(examples[0].ids, (TokenIds{1, 2, 3, 4, 9, 10}));  // 2 * 2 < 6: the prompt loses its end
  EXPECT_EQ(examples[1].ids, (TokenIds{1, 2, 3, 4, 5, 6}));   // 2 * 1 < 6: the completion does
  EXPECT_EQ(examples[2].ids, (TokenIds{1, 2, 3, 5, 6, 7}));   // both in proportion
  EXPECT_EQ(examples[2].prompt_tokens, 3u);
}

TEST_F(SftDataTest, RefusesInOneSentenceWithTheLine) {
  EXPECT_THAT(refusal("{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"a\"}"),
              HasSubstr("sft.jsonl:2"));
  EXPECT_THAT(refusal(R"({"prompt": "a"})"), HasSubstr("completion"));
  EXPECT_THAT(refusal(R"({"prompt": "a", "completion": ""})"), HasSubstr("completion is empty"));
  EXPECT_THAT(refusal(R"({"prompt": "a", "completion": "b", "score": 1})"),
              HasSubstr("field \"score\" is unknown"));
  EXPECT_THAT(refusal(R"({"prompt": "a", "completion": "b", "messages": []})"),
              HasSubstr("expected one of"));
  EXPECT_THAT(refusal(R"({"prompt_ids": [1], "completion_ids": [258]})"),
              HasSubstr("ids from 0 to 257, found 258"));
  EXPECT_THAT(refusal(R"({"prompt_ids": [1], "completion_ids": []})"),
              HasSubstr("list with a token id"));
  EXPECT_THAT(refusal(R"({"messages": [{"role": "user", "content": "a"}]})"),
              HasSubstr("last message to be the assistant's"));
  EXPECT_THAT(refusal(R"({"messages": [{"role": "assistant", "content": "a"}]})"),
              HasSubstr("the prompt is empty"));
  EXPECT_THAT(refusal(R"({"messages": [{"role": "tool", "content": "a"}]})"),
              HasSubstr("found \"tool\""));
  EXPECT_THAT(refusal("[1]"), HasSubstr("expected one JSON object a line"));
  EXPECT_THAT(refusal(""), HasSubstr("found none"));
  EXPECT_THAT(read(R"({"prompt_ids": [1, 2], "completion_ids": [3]})", {.max_length = 2})
                  .error()
                  .to_string(),
              HasSubstr("all 1 examples are longer than 2 tokens"));
}

TEST_F(SftDataTest, NeedsAChatTemplateForTextsOnly) {
  const SftTokens without = {model_.tokenizer.get(), nullptr, internal::kTinyVocabulary};
  const auto path = model_.folder.write("sft.jsonl", R"({"prompt": "a", "completion": "b"})");
  EXPECT_THAT(read_sft_data(path, without, {}).error().to_string(), HasSubstr("--chat-template"));
  model_.folder.write("sft.jsonl", R"({"prompt_ids": [1], "completion_ids": [2]})");
  EXPECT_TRUE(read_sft_data(path, without, {}).ok());
}

}  // namespace
}  // namespace rr
