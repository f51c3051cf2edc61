#include "rr/rerank/prompt_template.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rr {
namespace {

const std::vector<std::string_view> kTwo = {"grass {query}", "sky"};

std::string teacher_prompt(std::string_view name) {
  const std::vector<Placeholder> values = {{"{query}", "Q?"}, {"{answer}", "A."}};
  const Messages messages = PromptTemplate::named(name).fill(values, kTwo);
  EXPECT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages.front().role, Role::kUser);
  return messages.front().content;
}

TEST(PromptTemplate, FillsInWithoutSearchingWhatWasPutIn) {
  const PromptTemplate plain("--- system\nS {num}\n--- user\n{query} {other}\n{passages}\nend\n");
  const std::vector<Placeholder> values = {{"{query}", "{num}?"}};
  const Messages messages = plain.fill(values, kTwo);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].content, "S 2");
  EXPECT_EQ(messages[1].content, "{num}? {other}\n[1] grass {query}\n[2] sky\nend");
}

TEST(PromptTemplate, TheRankingConversationIsThePublishedOne) {
  const std::vector<Placeholder> values = {{"{query}", "why?"}, {"{answer}", "SECRET"}};
  const Messages messages = PromptTemplate::named("teacher-ranking-v1").fill(values, kTwo);
  ASSERT_EQ(messages.size(), 7u);
  EXPECT_EQ(
      messages[0].content,
      "You are an intelligent assistant that can rank passages based on their relevance to the "
      "query. I will provide you with 2 passages, each indicated by a numerical identifier []. "
      "Rank the passages based on their relevance to the query: why?.");
  EXPECT_EQ(messages[1].content, "Okay, please provide the passages.");
  EXPECT_EQ(messages[2].content, "[1] grass {query}");
  EXPECT_EQ(messages[3].content, "Received passage [1].");
  EXPECT_EQ(messages[4].content, "[2] sky");
  EXPECT_EQ(messages[5].content, "Received passage [2].");
  EXPECT_EQ(messages[6].content,
            "Search Query: why?. Rank the 2 passages above based on their relevance to the search "
            "query. The passages should be listed in descending order using identifiers. The most "
            "relevant passages should be listed first. The output format should be [] > [], e.g., "
            "[4] > [2]. Only response the ranking results, do not say any word or explain.");
  for (std::size_t i = 0; i < messages.size(); ++i) {
    EXPECT_EQ(messages[i].role, i % 2 == 0 ? Role::kUser : Role::kAssistant);
  }
}

TEST(PromptTemplate, SelectionPromptsEndWithQueryAnswerAndNamedPassages) {
  const std::string tail = "\nPassage [1]: grass {query}\nPassage [2]: sky";
  for (const char* name :
       {"teacher-complex-qa-positives-v1", "teacher-complex-qa-hard-negatives-v1"}) {
    EXPECT_TRUE(teacher_prompt(name).ends_with(" passages:\nQuery: Q?\nAnswer: A." + tail)) << name;
  }
  for (const char* name : {"teacher-coding-positives-v1", "teacher-math-problem-positives-v1",
                           "teacher-math-theorem-positives-v1"}) {
    EXPECT_TRUE(teacher_prompt(name).ends_with(" passages:\nQuery: Q?\nSolution: A." + tail))
        << name;
  }
}

TEST(PromptTemplate, ThePositivesPromptHasThePublishedBullets) {
  const std::string prompt = teacher_prompt("teacher-complex-qa-positives-v1");
  EXPECT_TRUE(prompt.starts_with(
      "You are an expert in evaluating the relevance of passages to a stackexchange query. A "
      "passage is considered relevant to the query if it helps reason through the query with "
      "critical concepts or theories and contains useful information to help users derive the "
      "answer. Crucially, avoid selecting passages that:\n- Merely mention keywords or entities "
      "from the query/answer but fail to provide explanatory details.\n- Are generic descriptions, "
      "background facts, or tangential information that do not contribute to reasoning about the "
      "query's specific questions.\nI will provide you with a query, "));
}

}  // namespace
}  // namespace rr
