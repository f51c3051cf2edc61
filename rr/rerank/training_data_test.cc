#include "rr/rerank/training_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/test_folder.h"

namespace rr {
namespace {

using ::testing::HasSubstr;

RankingTask task_of_three() {
  RankingTask task;
  task.dataset = "physics";
  task.domain = "complex-qa";
  task.qid = Qid("q1");
  task.query = "why is the sky blue [1]?";
  task.passages = {
      {Docid("a"), "", "grass"}, {Docid("b"), "Rayleigh", "light"}, {Docid("c"), "", ""}};
  task.grades = {{Docid("b"), 2}, {Docid("a"), 0}};
  task.final_list = {Docid("b"), Docid("c"), Docid("a")};
  return task;
}

template <typename Record>
std::string refusal(const Result<Record>& record) {
  return record.ok() ? "" : record.error().to_string();
}

TEST(TrainingData, TheTargetIsWhatTheParserReads) {
  const std::vector<std::size_t> order = {2, 0, 1};
  const std::string reply = target_reply(PromptMode::kReasoning, "I see 3.", order);
  EXPECT_EQ(reply, "<think>\nI see 3.\n</think>\n<answer>[3] > [1] > [2]</answer>");
  const ParsedPermutation parsed = parse_permutation(reply, 3, {.format = AnswerFormat::kTagged});
  EXPECT_EQ(parsed.order, order);
  EXPECT_TRUE(parsed.is_complete());
  EXPECT_EQ(target_reply(PromptMode::kDirect, "unused", order), "[3] > [1] > [2]");
}

TEST(TrainingData, AnExampleHasThePromptOfReranking) {
  const RankingTask task = task_of_three();
  const PromptBuilder prompts({.mode = PromptMode::kReasoning});
  const SftExample example = sft_example_of(task, "b explains it", prompts);
  const std::vector<std::string_view> texts = {"grass", "Title: Rayleigh Content: light", ""};
  const Messages prompt = prompts.build("why is the sky blue (1)?", texts);
  ASSERT_EQ(example.messages.size(), prompt.size() + 1);
  for (std::size_t i = 0; i < prompt.size(); ++i) {
    EXPECT_EQ(example.messages[i].content, prompt[i].content);
  }
  EXPECT_EQ(example.messages.back().role, Role::kAssistant);
  EXPECT_EQ(example.messages.back().content,
            "<think>\nb explains it\n</think>\n<answer>[2] > [3] > [1]</answer>");
}

TEST(TrainingData, RecordsComeBack) {
  const RankingTask task = task_of_three();
  const std::string line = to_json_line(to_json(task));
  EXPECT_EQ(line, R"({"dataset":"physics","domain":"complex-qa","qid":"q1",)"
                  R"("query":"why is the sky blue [1]?","passages":[{"docid":"a","text":"grass"},)"
                  R"({"docid":"b","title":"Rayleigh","text":"light"},{"docid":"c","text":""}],)"
                  R"("grades":{"a":0,"b":2},"final_list":["b","c","a"]})");
  const auto read = ranking_task_from_json(parse_json(line, "f").value(), "f");
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(to_json_line(to_json(read.value())), line);

  const SftExample example =
      sft_example_of(task, "r", PromptBuilder({.mode = PromptMode::kReasoning}));
  const std::string sft = to_json_line(to_json(example));
  const auto again = sft_example_from_json(parse_json(sft, "f").value(), "f");
  ASSERT_TRUE(again.ok()) << again.error().to_string();
  EXPECT_EQ(to_json_line(to_json(again.value())), sft);
}

TEST(TrainingData, APromptAndItsCompletionAreAnExampleToo) {
  const auto example =
      sft_example_from_json(parse_json(R"({"prompt":"2+2?","completion":"4"})", "f").value(), "f");
  ASSERT_TRUE(example.ok());
  ASSERT_EQ(example->messages.size(), 2u);
  EXPECT_EQ(example->messages[0].role, Role::kUser);
  EXPECT_EQ(example->messages[1].content, "4");
}

TEST(TrainingData, AnExampleMayBeInTokens) {
  const auto example = sft_example_from_json(
      parse_json(R"({"qid":"q","prompt_ids":[1,2],"completion_ids":[3]})", "f").value(), "f");
  ASSERT_TRUE(example.ok()) << example.error().to_string();
  EXPECT_TRUE(example->is_in_tokens());
  EXPECT_EQ(example->prompt_ids, (TokenIds{1, 2}));
  EXPECT_EQ(example->completion_ids, (TokenIds{3}));
}

TEST(TrainingData, SaysWhatIsWrongAndWhere) {
  const auto sft = [](const char* text) {
    return refusal(sft_example_from_json(parse_json(text, "f").value(), "f:3"));
  };
  EXPECT_THAT(sft(R"({"text":"x"})"), HasSubstr("f:3: expected one of {\"messages\"}"));
  EXPECT_THAT(sft(R"({"messages":[]})"), HasSubstr("at least one message"));
  EXPECT_THAT(
      sft(R"({"messages":[{"role":"user","content":"x"}]})"),
      HasSubstr(
          "the last message to be the assistant's, which is what is learnt, found the user's"));
  EXPECT_THAT(sft(R"({"messages":[{"role":"gpt","content":"x"}]})"), HasSubstr("found \"gpt\""));
  EXPECT_THAT(sft(R"({"prompt":"x"})"), HasSubstr("\"completion\""));
  EXPECT_THAT(sft(R"({"prompt":"x","completion":""})"), HasSubstr("the completion is empty"));
  EXPECT_THAT(sft(R"({"messages":[{"role":"assistant","content":"x"}]})"),
              HasSubstr("the prompt is empty"));
  EXPECT_THAT(sft(R"({"prompt":"x","completion":"y","note":1})"),
              HasSubstr("field \"note\" is unknown"));
  EXPECT_THAT(sft(R"({"prompt_ids":[1],"completion_ids":[-1]})"),
              HasSubstr("token ids in \"completion_ids\", found -1"));
  EXPECT_THAT(sft(R"({"prompt_ids":[1],"completion_ids":[4294967296]})"), HasSubstr("found 4294"));

  const auto task = [](const char* text) {
    return refusal(ranking_task_from_json(parse_json(text, "f").value(), "f:3"));
  };
  EXPECT_THAT(task(R"({"qid":1,"query":"x","grades":{}})"), HasSubstr("at least one passage"));
  EXPECT_THAT(task(R"({"qid":1,"query":"x","passages":[{"docid":"a","text":""}]})"),
              HasSubstr("\"grades\""));
  EXPECT_THAT(
      task(R"({"qid":1,"query":"x","passages":[{"docid":"a","text":""}],"grades":{"a":"high"}})"),
      HasSubstr("whole number"));
  EXPECT_THAT(task(R"({"qid":1,"query":"x","passages":[{"docid":"a","text":""},)"
                   R"({"docid":"a","text":""}],"grades":{}})"),
              HasSubstr("found \"a\" again"));
  EXPECT_THAT(task(R"({"qid":1,"query":"x","passages":[{"docid":"a","text":""}],)"
                   R"("grades":{},"final_list":["b"]})"),
              HasSubstr("which is not among them"));
}

TEST(TrainingData, FilesAreReadLineByLine) {
  const TestFolder folder;
  const std::string line = to_json_line(to_json(task_of_three()));
  const auto path = folder.write("tasks.jsonl", line + "\n\n" + line + "\n");
  EXPECT_EQ(read_ranking_tasks(path)->size(), 2u);
  folder.write("tasks.jsonl", line + "\n{\"qid\":1}\n");
  EXPECT_THAT(refusal(read_ranking_tasks(path)), HasSubstr(".jsonl:2: "));
}

}  // namespace
}  // namespace rr
