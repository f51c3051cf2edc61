#include "rr/rerank/prompt.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "rr/base/sha256.h"

namespace rr {
namespace {

// ChatML as Qwen2.5 writes it, with the assistant's turn opened.
std::string in_frame(const Messages& messages) {
  std::string text;
  for (const Message& m : messages) {
    const char* role = m.role == Role::kSystem ? "system" : "user";
    text += fmt::format("<|im_start|>{}\n{}<|im_end|>\n", role, m.content);
  }
  return text + "<|im_start|>assistant\n";
}

std::string user_turn(PromptMode mode, std::string_view query,
                      const std::vector<std::string_view>& passages) {
  return PromptBuilder({.mode = mode}).build(query, passages).back().content;
}

TEST(PromptBuilder, WritesTheGoldenPromptOfThePublishedCode) {
  // The inputs as the reference gives them: curly quotes, a ligature, mojibake, entities, U+2028,
  // control characters.
  using namespace std::string_literals;
  const PromptBuilder builder(PromptOptions{});
  const std::string query = builder.prepare_query("  What does “x²” mean in [12] &amp; <b>?\r\n  ");
  const std::vector<Passage> passages = {
      {Docid("1"), "", "A &amp; B [3] “quoted” ﬁne\r\nline &lt;two&gt; then &amp;"},
      {Docid("2"), "T<1>", "C &amp; D\u2028E\x00\x07"s},
      {Docid("3"), "", "  schÃ¶n [٣] [a1] [ 4] "},
  };
  std::vector<std::string> texts;
  for (const Passage& passage : passages) texts.push_back(builder.prepare_passage(passage).text);
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const Messages messages = builder.build(query, views);

  EXPECT_EQ(messages.back().content,
            "I will provide you with 3 passages, each indicated by a numerical identifier []. Rank "
            "the passages based on their relevance to the search query: What does \"x²\" mean in "
            "(12) &amp; <b>?.\n"
            "\n"
            "[1] A & B (3) \"quoted\" fine\n"
            "line <two> then &\n"
            "[2] Title: T<1> Content: C &amp; D\n"
            "E\n"
            "[3] schön (٣) [a1] [ 4]\n"
            "Search Query: What does \"x²\" mean in (12) &amp; <b>?.\n"
            "Rank the 3 passages above based on their relevance to the search query. All the "
            "passages should be included and listed using identifiers, in descending order of "
            "relevance. The format of the answer should be [] > [], e.g., [2] > [1].");
  const std::string prompt = in_frame(messages);
  EXPECT_EQ(prompt.size(), 1112u);
  EXPECT_EQ(sha256_hex(prompt), "9f43699ece34aee77fe81f0be109c9e543d4e76e90ca449671d110cb9d188a18");
}

TEST(PromptBuilder, WritesTheOtherModesAsPublished) {
  const std::string head =
      "I will provide you with 1 passages, each indicated by a numerical identifier []. Rank the "
      "passages based on their relevance to the search query: q.\n\n[1] p\nSearch Query: q.\nRank "
      "the 1 passages above based on their relevance to the search query. All the passages should "
      "be included and listed using identifiers, in descending order of relevance.";
  const std::string only =
      " Only respond with the ranking results, do not say any word or explain.";
  EXPECT_EQ(user_turn(PromptMode::kDirect, "q", {"p"}),
            head + " The output format should be [] > [], e.g., [2] > [1]." + only);
  const std::string tagged =
      " The final ranked list should be enclosed within <answer> </answer> tags, i.e., <answer> "
      "ranked list here </answer>. The format of ranked list should be [] > [], e.g., [2] > [1].";
  EXPECT_EQ(user_turn(PromptMode::kQwen3, "q", {"p"}), head + tagged + only);
  EXPECT_EQ(PromptBuilder({.mode = PromptMode::kQwen3}).build("q", {{"p"}}).front().content,
            "You are RankLLM, an intelligent assistant that can rank passages based on their "
            "relevance to the query.");
}

TEST(PromptBuilder, GivesRankKNoSystemTurn) {
  const std::vector<std::string_view> passages = {"p"};
  const Messages messages = PromptBuilder({.mode = PromptMode::kRankK}).build("q", passages);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_NE(
      messages[0].content.find("without any other text.\n Query: q\n\n[1] p\nSearch Query: q."),
      std::string::npos);
}

TEST(PromptBuilder, NeverFillsPlaceholdersInsideWhatItPutsIn) {
  const std::string turn = user_turn(PromptMode::kDirect, "{num} {passages}", {"{query} {x"});
  EXPECT_NE(turn.find("search query: {num} {passages}.\n\n[1] {query} {x\n"), std::string::npos);
}

TEST(PromptBuilder, RepairsEachPassageAndThenTheMessage) {
  PromptOptions options;
  options.repair.passage = [](std::string_view text) { return fmt::format("<{}[7]>", text); };
  options.repair.message = [](std::string_view text) { return fmt::format("{}!", text); };
  const PromptBuilder builder(options);
  const PassageText passage = builder.prepare_passage({Docid("d"), "", " a "});
  EXPECT_EQ(passage.text, "<a(7)>");
  const std::vector<std::string_view> passages = {passage.text};
  EXPECT_TRUE(builder.build("q", passages).back().content.ends_with("[2] > [1].!"));
}

TEST(PromptMode, IsFoundByItsName) {
  for (const auto mode :
       {PromptMode::kReasoning, PromptMode::kQwen3, PromptMode::kDirect, PromptMode::kRankK}) {
    EXPECT_EQ(find_prompt_mode(prompt_mode_name(mode)), mode);
  }
  EXPECT_EQ(find_prompt_mode("rank_GPT"), std::nullopt);
}

TEST(CutToWords, KeepsWordsAndJoinsThemByBlanks) {
  const PassageText cut = cut_to_words(3)(" one\n two\u3000three  four");
  EXPECT_EQ(cut.text, "one two three");
  EXPECT_TRUE(cut.was_cut);
  const PassageText whole = cut_to_words(3)("a\nb c ");
  EXPECT_EQ(whole.text, "a b c");
  EXPECT_FALSE(whole.was_cut);
  EXPECT_EQ(cut_to_words(0)("a").text, "");
}

}  // namespace
}  // namespace rr
