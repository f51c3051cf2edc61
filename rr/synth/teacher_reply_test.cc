#include "rr/synth/teacher_reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace rr {
namespace {

using ::testing::ElementsAre;
using Kind = ParsedSelection::Kind;

TEST(ParseSelection, ReadsThePublishedForm) {
  const ParsedSelection parsed = parse_selection("[2] [4] [10]", 10);
  EXPECT_EQ(parsed.kind, Kind::kPicked);
  EXPECT_THAT(parsed.picked, ElementsAre(1, 3, 9));
  EXPECT_FALSE(parsed.has_prose);
}

TEST(ParseSelection, ReadsNoneInAnyDress) {
  for (const char* reply : {"None", "none.", "\"None\"", "**None**\n", "<think>[3]?</think>\nNone",
                            "None of the passages is relevant."}) {
    const ParsedSelection parsed = parse_selection(reply, 5);
    EXPECT_EQ(parsed.kind, Kind::kNone) << reply;
    EXPECT_TRUE(parsed.picked.empty());
  }
}

TEST(ParseSelection, ThoughtsDoNotPick) {
  const ParsedSelection parsed = parse_selection("<think>maybe [1] or [2]</think>[3]", 5);
  EXPECT_THAT(parsed.picked, ElementsAre(2));
  EXPECT_EQ(parse_selection("<think>maybe [1] or [2]", 5).kind, Kind::kUnreadable);
}

TEST(ParseSelection, CountsWhatIsOffTheList) {
  const ParsedSelection parsed = parse_selection("[2] [0] [9] [2] [99999999999999999999999]", 5);
  EXPECT_THAT(parsed.picked, ElementsAre(1));
  EXPECT_EQ(parsed.out_of_range, 3u);
  EXPECT_EQ(parsed.duplicated, 1u);
}

TEST(ParseSelection, TakesListsAndProseAroundIdentifiers) {
  EXPECT_THAT(parse_selection("[2, 4]", 5).picked, ElementsAre(1, 3));
  EXPECT_THAT(parse_selection("2, 4", 5).picked, ElementsAre(1, 3));
  const ParsedSelection prose = parse_selection("Relevant: [1] and [3]. In 2019 nothing.", 5);
  EXPECT_THAT(prose.picked, ElementsAre(0, 2));
  EXPECT_TRUE(prose.has_prose);
}

TEST(ParseSelection, ProseRefusalsAndContradictionsAreUnreadable) {
  for (const char* reply : {"", "I'm sorry, but I cannot help with that.", "Passage 2 is relevant",
                            "[7]", "None, but [2]", "[]", "[the first]", "Nonetheless"}) {
    EXPECT_EQ(parse_selection(reply, 5).kind, Kind::kUnreadable) << reply;
  }
}

TEST(ParseTeacherRanking, ReadsBothForms) {
  for (const char* reply :
       {"<think>\nbecause\n</think>\n<answer>[3] > [1] > [2]</answer>",
        "<think>because</think>\n\n[3] > [1] > [2]", "because</think>[3] > [1] > [2]"}) {
    const ParsedTeacherRanking parsed = parse_teacher_ranking(reply, 3);
    EXPECT_EQ(parsed.thoughts, "because") << reply;
    EXPECT_THAT(parsed.order.order, ElementsAre(2, 0, 1)) << reply;
    EXPECT_TRUE(parsed.is_whole()) << reply;
  }
}

TEST(ParseTeacherRanking, WithoutThoughtsTheyAreEmpty) {
  const ParsedTeacherRanking parsed = parse_teacher_ranking("[2] > [1]", 2);
  EXPECT_EQ(parsed.thoughts, "");
  EXPECT_TRUE(parsed.is_whole());
}

TEST(ParseTeacherRanking, ACutReplyIsNotWhole) {
  EXPECT_FALSE(parse_teacher_ranking("<think>[1] > [2] > [3]", 3).is_whole());
  EXPECT_FALSE(parse_teacher_ranking("<think>x</think>[2] > [1]", 3).is_whole());
  EXPECT_FALSE(parse_teacher_ranking("I cannot rank these.", 3).is_whole());
}

}  // namespace
}  // namespace rr
