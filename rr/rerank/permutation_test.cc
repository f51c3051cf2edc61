#include "rr/rerank/permutation.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>

#include "rr/rerank/internal/python_text.h"

namespace rr {
namespace {

// "2 1 3": identifiers, counted from 1, best first.
std::string text_of(const ParsedPermutation& parsed) {
  std::string text;
  for (const std::size_t position : parsed.order) {
    text += fmt::format("{}{}", text.empty() ? "" : " ", position + 1);
  }
  return text;
}

constexpr ParseOptions kPublished{AnswerFormat::kTagged, ParserRule::kPublished};
constexpr ParseOptions kTagged{AnswerFormat::kTagged, ParserRule::kDefault};

struct Row {
  const char* reply;
  const char* published;
  const char* ours;
};

// The table of the published system's parser, 5 passages; "ours" where the two rules differ.
constexpr Row kRows[] = {
    {"<think>a 3 b</think>\n<answer>[2] > [1] > [3]</answer>", "2 1 3 4 5", "2 1 3 4 5"},
    {"<THINK>a</THINK> <ANSWER>[3]</ANSWER>", "3 1 2 4 5", "3 1 2 4 5"},
    {"<THINK>a 4</THINK> so <ANSWER>[3]</ANSWER>", "4 3 1 2 5", "1 2 3 4 5"},
    {"x</think><answer>[4]</answer>", "4 1 2 3 5", "4 1 2 3 5"},
    {"<answer>[4] > [2]</answer> see 1", "4 2 1 3 5", "4 2 1 3 5"},
    {"I think 5 is best since 2019, then <answer>[2] > [3]", "2 3 1 4 5", "2 3 1 4 5"},
    {"<think>passage 4 then 2 ...", "4 2 1 3 5", "1 2 3 4 5"},
    {"<think>x</think> text 9 <answer>[4]</answer> and 2", "4 2 1 3 5", "4 2 1 3 5"},
    {"<think>x</think><answer>[2]</answer><answer>[1]</answer>", "2 1 3 4 5", "2 1 3 4 5"},
    {"<think>x<answer>[4]</answer>y</think><answer>[2]</answer>", "2 1 3 4 5", "2 1 3 4 5"},
    {"<think>..</think><answer></answer>", "1 2 3 4 5", "1 2 3 4 5"},
    {"<think>..</think><answer>none</answer>", "1 2 3 4 5", "1 2 3 4 5"},
    {"<think>..</think><answer>[²] > [1]</answer>", "1 2 3 4 5", "1 2 3 4 5"},
    {"<think>..</think><answer>[²] > [4]</answer>", "1 2 3 4 5", "4 1 2 3 5"},
    {"<think>..</think><answer>[3]>[3]>[9]>[0]>[-2]</answer>", "3 2 1 4 5", "3 2 1 4 5"},
    {"<think>x</think><answer>[1.5]</answer>", "1 5 2 3 4", "1 5 2 3 4"},
    {"<think>x</think><answer>[٣]</answer>", "3 1 2 4 5", "3 1 2 4 5"},
};

TEST(ParsePermutation, GivesTheTableOfThePublishedParserAndOurDeviations) {
  for (const Row& row : kRows) {
    EXPECT_EQ(text_of(parse_permutation(row.reply, 5, kPublished)), row.published) << row.reply;
    EXPECT_EQ(text_of(parse_permutation(row.reply, 5, kTagged)), row.ours) << row.reply;
  }
}

TEST(ParsePermutation, CountsEveryRepair) {
  const ParsedPermutation parsed =
      parse_permutation("<think>..</think><answer>[3]>[3]>[9]>[0]>[-2]</answer>", 5, kTagged);
  EXPECT_EQ(parsed.duplicated, 1u);
  EXPECT_EQ(parsed.out_of_range, 2u);
  EXPECT_EQ(parsed.missing, 3u);
  EXPECT_EQ(parsed.digit_like, 0u);
  EXPECT_FALSE(parsed.no_answer);
  EXPECT_FALSE(parsed.is_complete());
  EXPECT_TRUE(parse_permutation("[2] > [1] > [3]", 3).is_complete());
}

TEST(ParsePermutation, CountsAReplyWithoutAnAnswer) {
  const ParsedPermutation parsed = parse_permutation("<think>passage 2 then", 3, kTagged);
  EXPECT_TRUE(parsed.no_answer);
  EXPECT_EQ(parsed.missing, 3u);
  EXPECT_TRUE(parse_permutation("<think>passage 2 then", 3, kPublished).no_answer);
}

TEST(ParsePermutation, ReadsDigitLikeCharactersAsBlanksAndCountsThem) {
  // "1²" is one word to the published parser, which gives up; ours reads the 1.
  const ParsedPermutation parsed = parse_permutation("[3²] > [①] > [1]", 3);
  EXPECT_EQ(text_of(parsed), "3 1 2");
  EXPECT_EQ(parsed.digit_like, 2u);
  EXPECT_EQ(parsed.missing, 1u);
  const ParsedPermutation kept =
      parse_permutation("[3²] > [1]", 3, {AnswerFormat::kWhole, ParserRule::kPublished});
  EXPECT_EQ(text_of(kept), "1 2 3");
  EXPECT_EQ(kept.digit_like, 1u);
}

TEST(ParsePermutation, ReadsTheWholeReplyWhereTheModelWasAskedForTheAnswerOnly) {
  EXPECT_EQ(text_of(parse_permutation("<think>4</think><answer>[2]</answer>", 5)), "4 2 1 3 5");
  EXPECT_EQ(text_of(parse_permutation("", 3)), "1 2 3");
}

TEST(ParsePermutation, TakesNumbersOfAnyLengthAndMixedScripts) {
  const std::string long_number = fmt::format("[{}] > [2]", std::string(5000, '9'));
  EXPECT_EQ(parse_permutation(long_number, 3).out_of_range, 1u);
  // 1 in ASCII and ٢ in Arabic-Indic are one number to int(): 12.
  EXPECT_EQ(parse_permutation("[1٢]", 12).order.front(), 11u);
}

TEST(ParsePermutation, LowersTheKelvinSignAsPythonDoes) {
  EXPECT_EQ(text_of(parse_permutation("<thin\xE2\x84\xAA>4</think><answer>[2]</ANSWER> 3", 5,
                                      kPublished)),
            "2 1 3 4 5");
}

TEST(ParsePermutation, TakesUnicodeWhiteSpaceBetweenTheTags) {
  EXPECT_EQ(
      text_of(parse_permutation("<think>4</think>\u3000\x1c<answer>[2]</answer> 3", 5, kTagged)),
      "2 1 3 4 5");
}

TEST(SplitReply, FindsThoughtsAndAnswer) {
  const ReplyParts whole =
      split_reply("<think>\nfirst\n</think>\n<answer> [2] </answer>", AnswerFormat::kTagged);
  EXPECT_EQ(whole.thoughts, "first");
  EXPECT_EQ(whole.answer, "[2]");
  const ReplyParts open = split_reply("x</think>so<answer>[2]", AnswerFormat::kTagged);
  EXPECT_EQ(open.thoughts, "x");
  EXPECT_EQ(open.answer, "[2]");
  const ReplyParts none = split_reply("<think> hm", AnswerFormat::kTagged);
  EXPECT_EQ(none.thoughts, "hm");
  EXPECT_FALSE(none.has_answer);
}

// Pieces that answers are made of, and any bytes between them.
rc::Gen<std::string> any_reply() {
  const auto piece = rc::gen::oneOf(
      rc::gen::element<std::string>("<think>", "</think>", "<answer>", "</answer>", "[1]", " > ",
                                    "[20]", "[0]", "²", "٣", "<ANSWER>", "\xE2\x84"),
      rc::gen::container<std::string>(rc::gen::arbitrary<char>()));
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece),
                      [](const std::vector<std::string>& pieces) {
                        std::string reply;
                        for (const std::string& p : pieces) reply += p;
                        return reply;
                      });
}

RC_GTEST_PROP(ParsePermutation, MakesAPermutationOfAnyBytes, ()) {
  const std::string reply = *any_reply();
  const auto window_size = *rc::gen::inRange<std::size_t>(0, 40);
  for (const auto format : {AnswerFormat::kTagged, AnswerFormat::kWhole}) {
    for (const auto rule : {ParserRule::kDefault, ParserRule::kPublished}) {
      ParsedPermutation parsed = parse_permutation(reply, window_size, {format, rule});
      RC_ASSERT(parsed.order.size() == window_size);
      std::sort(parsed.order.begin(), parsed.order.end());
      for (std::size_t i = 0; i < window_size; ++i) RC_ASSERT(parsed.order[i] == i);
      RC_ASSERT(parsed.missing <= window_size);
    }
  }
}

RC_GTEST_PROP(ParsePermutation, TakesAFullPermutationAsItIs, ()) {
  std::vector<std::size_t> order(*rc::gen::inRange<std::size_t>(1, 30));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto keys = *rc::gen::container<std::vector<int>>(order.size(), rc::gen::arbitrary<int>());
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return keys[a] < keys[b]; });
  std::string answer;
  for (const std::size_t i : order) answer += fmt::format("[{}] > ", i + 1);
  const ParsedPermutation parsed = parse_permutation(answer, order.size());
  RC_ASSERT(parsed.order == order);
  RC_ASSERT(parsed.is_complete());
}

TEST(PythonText, ClassifiesEveryCodePointAsPythonDoes) {
  // From Python 3.11 over all code points but the surrogates:
  //   k = 1 + int(c) if c.isdecimal() else 11 if c.isdigit() else 0
  //   h = (31 h + k + (100 if c.isspace() else 0)) mod 1000000007
  using Kind = internal::DigitClass::Kind;
  std::uint64_t hash = 0;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    const internal::DigitClass digit = internal::classify_digit(c);
    std::uint64_t k = digit.kind == Kind::kDecimal ? 1 + digit.value : 0;
    if (digit.kind == Kind::kDigitLike) k = 11;
    hash = (hash * 31 + k + (internal::is_space(c) ? 100 : 0)) % 1000000007;
  }
  EXPECT_EQ(hash, 775744786u);
}

TEST(PythonText, StripsUnicodeWhiteSpaceAtBothEnds) {
  EXPECT_EQ(internal::strip("\u00A0 \x1fx\u3000y\u2029\r\n"), "x\u3000y");
  EXPECT_EQ(internal::strip(" \t"), "");
  EXPECT_EQ(internal::strip("\xFF\x80"), "\xFF\x80");
}

TEST(PythonText, PutsNumbersInBracketsIntoParentheses) {
  EXPECT_EQ(internal::brackets_to_parentheses("[12] [٣] [ 4] [a1] [] [[5]] [6"),
            "(12) (٣) [ 4] [a1] [] [(5)] [6");
}

}  // namespace
}  // namespace rr
