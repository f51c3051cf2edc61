#include "rr/synth/candidates.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "rr/synth/training_list.h"

namespace rr {
namespace {

using ::testing::ElementsAre;

// "w w w": so many words.
std::string words(std::size_t count, const std::string& word = "w") {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += fmt::format("{}{}", i == 0 ? "" : " ", word);
  return text;
}

std::vector<std::string> texts_of(const std::vector<Passage>& passages) {
  std::vector<std::string> texts;
  for (const Passage& passage : passages) texts.push_back(passage.text);
  return texts;
}

Passage document(const std::string& text) { return {Docid("d"), "Title", text}; }

TEST(SplitDocument, ParagraphsArePassages) {
  const std::vector<Passage> passages = split_document(
      document(fmt::format("\n\n{}\n \t\n{}\n\n\n", words(25, "a"), words(30, "b"))));
  EXPECT_THAT(texts_of(passages), ElementsAre(words(25, "a"), words(30, "b")));
  EXPECT_EQ(passages[0].docid, Docid("d#1"));
  EXPECT_EQ(passages[1].docid, Docid("d#2"));
  EXPECT_EQ(passages[1].title, "Title");
}

TEST(SplitDocument, AHeadingJoinsWhatFollows) {
  const std::string text = fmt::format("Heading\n\n{}\n\nthe end", words(40));
  EXPECT_THAT(texts_of(split_document(document(text))), ElementsAre(text));
}

TEST(SplitDocument, ALongParagraphIsCutAfterASentence) {
  const DocumentSplitOptions options{.min_words = 1, .max_words = 6};
  EXPECT_THAT(
      texts_of(split_document(document("One two three. Four five six seven eight."), options)),
      ElementsAre("One two three.", "Four five six seven eight."));
  EXPECT_THAT(texts_of(split_document(document(words(13)), options)),
              ElementsAre(words(6), words(6), "w"));
}

TEST(SplitDocument, OnePassageKeepsItsDocidAndBlanksGiveNone) {
  const std::vector<Passage> whole = split_document(document("short"));
  ASSERT_EQ(whole.size(), 1u);
  EXPECT_EQ(whole[0].docid, Docid("d"));
  EXPECT_TRUE(split_document(document(" \n\n\t")).empty());
}

TEST(SplitDocument, NoWordIsLost) {
  std::string text;
  for (int i = 0; i < 400; ++i) {
    text += fmt::format("w{}{}{}", i, i % 17 == 3 ? "." : "", i % 23 == 5 ? "\n\n" : " ");
  }
  std::string joined;
  for (const std::string& piece : texts_of(split_document(document(text), {5, 30}))) {
    joined += piece + " ";
  }
  const auto squeeze = [](std::string s) {
    s.erase(std::remove_if(s.begin(), s.end(), [](char c) { return c == ' ' || c == '\n'; }),
            s.end());
    return s;
  };
  EXPECT_EQ(squeeze(joined), squeeze(text));
}

TEST(GatherCandidates, RepeatedPassagesAreLeftOut) {
  const std::string text = words(20);
  CandidateInputs inputs;
  inputs.linked = {{Docid("a"), "", text}};
  inputs.retrieved = {{Docid("b"), "", text}, {Docid("a"), "", "other"}, {Docid("c"), "", "new"}};
  const Candidates qa = gather_candidates(Domain::kComplexQa, inputs, {});
  EXPECT_EQ(qa.linked.size(), 1u);
  ASSERT_EQ(qa.retrieved.size(), 1u);
  EXPECT_EQ(qa.retrieved[0].docid, Docid("c"));
  EXPECT_EQ(qa.repeated, 2u);
  const Candidates math = gather_candidates(Domain::kMathTheorem, inputs, {.max_retrieved = 2});
  EXPECT_TRUE(math.linked.empty());
  EXPECT_EQ(math.retrieved.size(), 2u);
  EXPECT_EQ(math.cut, 1u);
}

TEST(ChooseList, HoldsPositivesThenHardNegativesThenNegatives) {
  LabelledPassages passages;
  for (std::size_t i = 0; i < 3; ++i) passages.positives.push_back(i);
  for (std::size_t i = 10; i < 14; ++i) passages.hard_negatives.push_back(i);
  for (std::size_t i = 20; i < 60; ++i) passages.negatives.push_back(i);
  const std::vector<std::size_t> list = choose_list(passages, {}, 1, 2);
  ASSERT_EQ(list.size(), 20u);
  const std::set<std::size_t> chosen(list.begin(), list.end());
  EXPECT_EQ(chosen.size(), 20u);
  for (const std::size_t wanted : {0U, 1U, 2U, 10U, 11U, 12U, 13U})
    EXPECT_TRUE(chosen.contains(wanted));
  EXPECT_EQ(choose_list(passages, {}, 1, 2), list);
  EXPECT_NE(choose_list(passages, {}, 1, 3), list);
}

TEST(ChooseList, ANegativeAlwaysHasRoom) {
  LabelledPassages passages;
  for (std::size_t i = 0; i < 50; ++i) passages.positives.push_back(i);
  passages.negatives = {99};
  const std::vector<std::size_t> list =
      choose_list(passages, {.size = 5, .max_positives = 20}, 0, 0);
  EXPECT_EQ(list.size(), 5u);
  EXPECT_EQ(std::count(list.begin(), list.end(), 99u), 1);
}

TEST(ChooseList, APositionTellsNothing) {
  // Over 4,000 lists of 20 with one positive: each position has it 200 times, sd 13.8.
  LabelledPassages passages;
  passages.positives = {0};
  for (std::size_t i = 1; i < 30; ++i) passages.negatives.push_back(i);
  std::vector<int> at(20, 0);
  for (std::uint64_t topic = 0; topic < 4000; ++topic) {
    const std::vector<std::size_t> list = choose_list(passages, {}, 7, topic);
    ++at[static_cast<std::size_t>(std::find(list.begin(), list.end(), 0u) - list.begin())];
  }
  for (const int count : at) EXPECT_NEAR(count, 200, 5 * 13.8);
}

}  // namespace
}  // namespace rr
