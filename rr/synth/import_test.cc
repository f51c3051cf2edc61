#include "rr/synth/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "rr/base/file.h"
#include "rr/rerank/training_data.h"
#include "tests/test_folder.h"

// The records are those of LLaMA-Factory's data/README.md, with words of our own; what becomes of
// them is what its data/converter.py makes of them.

namespace rr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ConvertExamples : public ::testing::Test {
 protected:
  Result<Conversion> convert(const std::string& text, const ConvertOptions& options = {}) {
    const auto input = folder_.write("data.json", text);
    RR_TRY(AtomicFile output, AtomicFile::create(folder_ / "sft.jsonl"));
    RR_TRY(Conversion conversion, convert_examples(input, options, output));
    RR_TRY_STATUS(output.commit());
    return conversion;
  }

  // Each example as "role: content" lines, through the reader that training uses.
  std::vector<std::string> examples() const {
    std::vector<std::string> texts;
    const auto read = read_sft_examples(folder_ / "sft.jsonl");
    for (const SftExample& example : read.value()) {
      std::string text;
      for (const Message& message : example.messages) {
        text += std::string(role_name(message.role)) + ": " + message.content + "|";
      }
      texts.push_back(text);
    }
    return texts;
  }

  std::string refusal(const std::string& text) {
    const auto conversion = convert(text);
    return conversion.ok() ? "" : conversion.error().to_string();
  }

  TestFolder folder_;
};

TEST_F(ConvertExamples, AlpacaJoinsInstructionAndInput) {
  const auto conversion = convert(R"([
    {"instruction": "Add.", "input": "2+2", "output": "4"},
    {"instruction": "Greet.", "input": "", "output": "Hi", "system": "Be kind.", "history": []},
    {"instruction": "Again?", "output": "Yes", "history": [["First?", "No"], ["Second?", "Hm"]]}
  ])");
  ASSERT_TRUE(conversion.ok()) << conversion.error().to_string();
  EXPECT_EQ(conversion->records, 3u);
  EXPECT_THAT(
      examples(),
      ElementsAre("user: Add.\n2+2|assistant: 4|", "system: Be kind.|user: Greet.|assistant: Hi|",
                  "user: First?|assistant: No|user: Second?|assistant: Hm|user: Again?|"
                  "assistant: Yes|"));
  EXPECT_THAT(conversion->notes, ElementsAre(HasSubstr("1 example with earlier replies")));
}

TEST_F(ConvertExamples, ShareGptTakesTheSystemTurnBeforeTheColumn) {
  const auto conversion = convert(
      R"({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "system": "S", "tools": ""})"
      "\n\n"
      R"({"conversations": [{"from": "system", "value": "T"}, {"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "system": "S"})"
      "\n");
  ASSERT_TRUE(conversion.ok()) << conversion.error().to_string();
  EXPECT_THAT(examples(),
              ElementsAre("system: S|user: a|assistant: b|", "system: T|user: a|assistant: b|"));
}

TEST_F(ConvertExamples, OpenAisFormIsOurOwn) {
  const std::string line =
      R"({"qid":"q","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]})";
  ASSERT_TRUE(convert(line).ok());
  EXPECT_THAT(examples(), ElementsAre("user: a|assistant: b|"));
  EXPECT_EQ(read_sft_examples(folder_ / "sft.jsonl")->front().qid, Qid("q"));
}

TEST_F(ConvertExamples, WhatHasNoPlaceIsRefusedOrCounted) {
  const std::string text = R"([{"instruction": "a", "output": "b", "source": "web"}])";
  EXPECT_THAT(refusal(text), HasSubstr("no field \"source\"; --lossy"));
  const auto conversion = convert(text, {.lossy = true});
  ASSERT_TRUE(conversion.ok());
  EXPECT_THAT(conversion->notes, ElementsAre("1 example with fields that are left out"));
}

TEST_F(ConvertExamples, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(refusal(R"([{"instruction": "a", "output": "b"}, {"instruction": "a"}])"),
              HasSubstr("data.json: example 2: expected a field \"output\""));
  EXPECT_THAT(refusal("{\"text\": \"document\"}\n"), HasSubstr("data.json:1: expected"));
  EXPECT_THAT(refusal(R"([{"instruction": "a", "output": ""}])"), HasSubstr("completion is empty"));
  EXPECT_THAT(refusal(R"([{"instruction": "a", "chosen": "b", "rejected": "c"}])"),
              HasSubstr("\"chosen\""));
  EXPECT_THAT(
      refusal(R"([{"conversations": [{"from": "human", "value": "a"}], "images": ["x.png"]}])"),
      HasSubstr("\"images\""));
  EXPECT_THAT(refusal(R"([{"conversations": [{"from": "gpt", "value": "a"}]}])"),
              HasSubstr("found \"gpt\" in the place of \"human\""));
  EXPECT_THAT(refusal(R"([{"conversations": [{"from": "human", "value": "a"},
                          {"from": "function_call", "value": "b"}]}])"),
              HasSubstr("function_call"));
  EXPECT_THAT(refusal(R"([{"conversations": [{"from": "human", "value": "a"}]}])"),
              HasSubstr("the last message to be the assistant's"));
  EXPECT_THAT(refusal(R"([{"conversations": []}])"), HasSubstr("at least one message"));
  EXPECT_THAT(refusal(R"([{"instruction": "a", "output": "b", "history": [["c"]]}])"),
              HasSubstr("\"history\""));
  EXPECT_THAT(refusal(R"([{"instruction": "a", "output": "b", "history": "c"}])"),
              HasSubstr("\"history\""));
  EXPECT_THAT(refusal("[]"), HasSubstr("found none"));
  EXPECT_THAT(refusal("[1]"), HasSubstr("JSON object"));
}

}  // namespace
}  // namespace rr
