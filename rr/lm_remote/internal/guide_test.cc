#include "rr/lm_remote/internal/guide.h"

#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

namespace rr::internal {
namespace {

std::vector<Stage> reasoned(std::size_t size) {
  return {ForcedStage{"<think>\n"}, FreeStage{100, {"</think>"}}, ForcedStage{"</think>\n<answer>"},
          PermutationStage{size}, ForcedStage{"</answer>"}};
}

bool allows(const std::vector<Stage>& stages, bool from_order, const std::string& text) {
  return std::regex_match(text, std::regex(guide_regex(stages, from_order)));
}

TEST(Guide, AllowsThoughtsAndAnOrderOfAllIdentifiers) {
  const auto stages = reasoned(12);
  const std::string order =
      "[12] > [1] > [2] > [3] > [4] > [5] > [6] > [7] > [8] > [9] > [10] > [11]";
  EXPECT_TRUE(
      allows(stages, false, "<think>\nhm, [3] > <b>\n</think>\n<answer>" + order + "</answer>"));
  EXPECT_TRUE(allows(stages, false, "<answer>" + order + "</answer>"));  // thoughts came apart
  EXPECT_TRUE(allows(stages, true, order + "</answer>"));
  EXPECT_FALSE(allows(stages, false, order));
  EXPECT_FALSE(allows(stages, false, "Sure! <answer>" + order + "</answer>"));
  EXPECT_FALSE(allows(stages, true, "[1] > [2]</answer>"));
  EXPECT_FALSE(allows(stages, true, "[13]" + order.substr(4) + "</answer>"));
  EXPECT_FALSE(allows(stages, true, order));
}

TEST(Guide, OfABareOrderIsTheOrder) {
  const std::vector<Stage> stages = {PermutationStage{2}};
  EXPECT_TRUE(allows(stages, false, "[2] > [1]"));
  EXPECT_FALSE(allows(stages, false, "[2] > [1] "));
  EXPECT_EQ(
      guide_grammar(stages, false),
      "root ::= identifier \" > \" identifier\nidentifier ::= \"[\" ( \"1\" | \"2\" ) \"]\"\n");
  EXPECT_TRUE(allows({PermutationStage{1}}, false, "[1]"));
}

TEST(Guide, IsEmptyWithoutAnOrder) {
  const std::vector<Stage> stages = {FreeStage{10, {"."}}};
  EXPECT_EQ(guide_regex(stages, false), "");
  EXPECT_EQ(guide_grammar(stages, false), "");
}

TEST(Guide, OfLlamaServersIsAGrammar) {
  const std::string grammar = guide_grammar(reasoned(2), false);
  EXPECT_EQ(grammar.substr(0, grammar.find("\nthoughts")),
            "root ::= thoughts? \"<answer>\" identifier \" > \" identifier \"</answer>\"\n"
            "identifier ::= \"[\" ( \"1\" | \"2\" ) \"]\"");
  EXPECT_EQ(guide_grammar(reasoned(2), true),
            "root ::= identifier \" > \" identifier \"</answer>\"\n"
            "identifier ::= \"[\" ( \"1\" | \"2\" ) \"]\"\n");
}

TEST(AnswerPlan, CountsWhatAReplyMayTake) {
  const AnswerPlan plan = plan_of(reasoned(20));
  // 8 + 100 + 17 + (20 * 9 + 16) + 9 bytes and tokens
  EXPECT_EQ(plan.max_tokens, 330U);
  EXPECT_EQ(plan.order_tokens, 205U);
  EXPECT_EQ(plan.close_thoughts, "</think>\n<answer>");
  EXPECT_EQ(plan.order_size, 20U);
  EXPECT_TRUE(plan.wants_thoughts);
  EXPECT_TRUE(plan.stop.empty());
  const AnswerPlan free = plan_of(std::vector<Stage>{FreeStage{7, {"\n"}}});
  EXPECT_EQ(free.max_tokens, 7U);
  EXPECT_FALSE(free.wants_order);
  EXPECT_EQ(free.stop, std::vector<std::string>{"\n"});
}

}  // namespace
}  // namespace rr::internal
