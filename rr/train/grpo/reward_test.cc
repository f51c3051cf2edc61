#include "rr/train/grpo/reward.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace rr {
namespace {

// d1..dn in this order, the teacher's order the same.
RankingTask task_of(std::size_t size, const std::set<std::size_t>& relevant) {
  RankingTask task;
  task.qid = Qid("q");
  for (std::size_t i = 1; i <= size; ++i) {
    const Docid docid(fmt::format("d{}", i));
    task.passages.push_back({docid, "", "text"});
    task.final_list.push_back(docid);
    task.grades[docid] = relevant.count(i) > 0 ? 1 : 0;
  }
  return task;
}

std::vector<std::string> numbers(std::size_t size) {
  std::vector<std::string> list;
  for (std::size_t i = 1; i <= size; ++i) list.push_back(std::to_string(i));
  return list;
}

std::string listed(const std::vector<std::string>& identifiers,
                   const std::string& between = " > ") {
  std::string text;
  for (const std::string& identifier : identifiers) {
    text += fmt::format("{}[{}]", text.empty() ? "" : between, identifier);
  }
  return text;
}

std::string reply_of(const std::string& answer) {
  return fmt::format("<think>why</think>\n<answer>{}</answer>", answer);
}

// A row of the table of published rewards: a reply about 20 passages whose teacher's order is the
// list's own, and what both rules give.
struct Row {
  const char* what;
  std::string reply;
  std::set<std::size_t> relevant;
  double published;
  double strict;
};

std::vector<Row> published_rows() {
  const std::vector<std::string> gold = numbers(20);
  const std::vector<std::string> reversed(gold.rbegin(), gold.rend());
  const auto with = [&](std::size_t place, const std::string& identifier) {
    std::vector<std::string> changed = gold;
    changed[place] = identifier;
    return changed;
  };
  std::vector<std::string> shorter(gold.begin(), gold.end() - 1);
  std::vector<std::string> longer = gold;
  longer.emplace_back("21");
  std::vector<std::string> zero_first = {"0"};
  zero_first.insert(zero_first.end(), gold.begin(), gold.end() - 1);
  std::vector<std::string> zero_first_twenty_last = {"0"};
  zero_first_twenty_last.insert(zero_first_twenty_last.end(), gold.begin(), gold.end() - 2);
  zero_first_twenty_last.emplace_back("20");
  std::vector<std::string> hundreds;
  std::vector<std::string> padded;
  for (std::size_t i = 1; i <= 20; ++i) {
    hundreds.push_back(std::to_string(100 + i));
    padded.push_back(fmt::format("{:02}", i));
  }
  const std::string answer = listed(gold);
  const std::string whole = reply_of(answer);
  return {
      {"gold order, d1", whole, {1}, 1.3, 1.3},
      {"gold order, d1 and d11", whole, {1, 11}, 0.81315, 0.81315},
      {"gold order, d9 and d10", whole, {9, 10}, 0.66181, 0.66181},
      {"reversed", reply_of(listed(reversed)), {1}, 0.03312, 0.01513},
      {"no tags", answer, {1}, -1, -1},
      {"tags in upper case", "<THINK>why</THINK><ANSWER>" + answer + "</ANSWER>", {1}, -1, -1},
      {"text between", "<think>why</think> so <answer>" + answer + "</answer>", {1}, -1, -1},
      {"19 identifiers", reply_of(listed(shorter)), {1}, 0, 0},
      {"21 identifiers", reply_of(listed(longer)), {1}, 0, 0},
      {"one repeated", reply_of(listed(with(19, "1"))), {1}, 0, 0},
      {"a number in prose", reply_of("here are 20: " + answer), {1}, 0, 0},
      {"commas", reply_of(listed(gold, ", ")), {1}, 1.3, 0},
      {"blanks", reply_of(listed(gold, " ")), {1}, 1.3, 0},
      {"0 for 20", reply_of(listed(with(19, "0"))), {20}, 0.09975, 0},
      {"0 first, 20 missing", reply_of(listed(zero_first)), {20}, 1.28201, 0},
      {"0 first, 20 last, 19 missing", reply_of(listed(zero_first_twenty_last)), {20}, 0.08201, 0},
      {"21 for 1", reply_of(listed(with(0, "21"))), {2}, 1.28201, 0},
      {"101 to 120", reply_of(listed(hundreds)), {1}, 0, 0},
      {"padded with zeros", reply_of(listed(padded)), {1}, 1.22041, 0},
      {"a superscript", reply_of(listed(with(3, "²"))), {1}, 0, 0},
      {"nothing relevant", whole, {}, 0.1, 0.1},
      {"two answers, the first short",
       reply_of("[1]") + "<answer>" + answer + "</answer>",
       {1},
       0,
       0},
      {"an answer inside the thoughts",
       "<think>say <answer>[1]</answer>?</think><answer>" + answer + "</answer>",
       {1},
       1.3,
       1.3},
      {"junk around", "well, " + whole + " thanks", {1}, 1.3, 1.3},
  };
}

// The table of reasonrank-spec.md, 4.1, computed by ReasonRank's code.
TEST(Reward, IsWhatThePublishedCodeGives) {
  for (const Row& row : published_rows()) {
    const TaskReward reward(task_of(20, row.relevant), published_reward());
    EXPECT_NEAR(reward.of(row.reply).total, row.published, 5e-6) << row.what;
  }
}

TEST(Reward, IsStrictByDefault) {
  for (const Row& row : published_rows()) {
    const TaskReward reward(task_of(20, row.relevant), {});
    EXPECT_NEAR(reward.of(row.reply).total, row.strict, 5e-6) << row.what;
  }
}

TEST(Reward, OfThePapersOverlapIsBelowItsMost) {
  RewardOptions options;
  options.overlap = RewardOverlap::kBounded;
  const Reward reward = TaskReward(task_of(20, {1}), options).of(reply_of(listed(numbers(20))));
  EXPECT_NEAR(reward.overlap, 0.87842, 5e-6);  // 1 - 0.9^20
}

TEST(Reward, HasNoOverlapWithoutATeachersOrder) {
  RankingTask task = task_of(3, {1});
  task.final_list.clear();
  const Reward reward = TaskReward(task, {}).of(reply_of("[2] > [1] > [3]"));
  EXPECT_NEAR(reward.total, 1 / std::log2(3.0) + 0.2, 1e-12);
  EXPECT_EQ(reward.overlap, 0);
  // The published rule then counts against the list.
  EXPECT_NEAR(TaskReward(task, published_reward()).of(reply_of("[2] > [1] > [3]")).total,
              1 / std::log2(3.0) + 0.2, 1e-12);
}

TEST(Reward, MayTakeGradesForGains) {
  RankingTask task = task_of(3, {});
  task.grades = {{Docid("d1"), 1}, {Docid("d2"), 3}, {Docid("d3"), 0}};
  RewardOptions options;
  options.graded = true;
  // DCG = 1 + 3 / log2(3), ideal 3 + 1 / log2(3)
  const double expected = (1 + 3 / std::log2(3.0)) / (3 + 1 / std::log2(3.0));
  EXPECT_NEAR(TaskReward(task, options).of(reply_of("[1] > [2] > [3]")).ndcg, expected, 1e-12);
  EXPECT_EQ(TaskReward(task, {}).of(reply_of("[1] > [2] > [3]")).ndcg, 1);
}

TEST(Reward, OfAModelThatDoesNotReasonIsOfTheWholeReply) {
  RewardOptions options;
  options.format = AnswerFormat::kWhole;
  const TaskReward reward(task_of(2, {1}), options);
  EXPECT_NEAR(reward.of(" [1] > [2]\n").total, 1.3, 1e-12);
  EXPECT_EQ(reward.of("[1] and [2]").total, 0);
}

TEST(Reward, TakesOffForLength) {
  RewardOptions options;
  options.cost_per_1000_tokens = 0.5;
  options.overlong_tokens = 100;
  const TaskReward reward(task_of(2, {1}), options);
  const std::string reply = reply_of("[1] > [2]");
  EXPECT_NEAR(reward.of(reply, {200, 1000}).total, 1.3 - 0.1, 1e-12);
  EXPECT_NEAR(reward.of(reply, {925, 1000}).total, 1.3 - 0.4625 - 0.25, 1e-12);
  EXPECT_NEAR(reward.of("<think>", {1000, 1000}).total, -1 - 0.5 - 1, 1e-12);
  EXPECT_NEAR(reward.of(reply, {200, 0}).total, 1.3 - 0.1, 1e-12);
}

TEST(StrictOrder, TakesOneFormOnly) {
  const auto read = [](const char* answer) { return read_strict_order(answer, 3).has_value(); };
  EXPECT_TRUE(read("[3] > [1] > [2]"));
  EXPECT_TRUE(read("[3]>[1]\n>\t[2]"));
  for (const char* const wrong :
       {"", "[", "[3", "[3]", "[3] > [1]", "[3] > [1] > [2] >", "[3] > [1] > [2].", "3 > 1 > 2",
        "[03] > [1] > [2]", "[3] > [1] > [4]", "[3] > [1] > [1]", "[3] [1] [2]", "[0] > [1] > [2]",
        "[3] > [ 1 ] > [2]", "[99999999999999999999999] > [1] > [2]"}) {
    EXPECT_FALSE(read(wrong)) << wrong;
  }
}

TEST(RewardOptions, ComeFromATable) {
  const auto read = [](const char* text) {
    return reward_options_from_json(Json::parse(text), "reward.toml");
  };
  EXPECT_EQ(to_json(read("{}").value()), to_json(RewardOptions()));
  EXPECT_EQ(to_json(read(R"({"rule": "published"})").value()), to_json(published_reward()));
  const RewardOptions all = read(R"({"rule": "published", "overlap": "bounded", "persistence": 0.8,
      "format": "whole", "ndcg-weight": 2, "recall-weight": 0, "overlap-weight": 0.5, "cutoff": 5,
      "graded": true, "wrong-form": -2, "wrong-answer": -0.5, "cost-per-1000-tokens": 0.1,
      "overlong-tokens": 50})")
                                .value();
  EXPECT_EQ(to_json(reward_options_from_json(to_json(all), "").value()), to_json(all));
  EXPECT_EQ(all.overlap, RewardOverlap::kBounded);
  for (const auto& [text, message] : std::vector<std::pair<const char*, const char*>>{
           {R"({"recal-weight": 0.2})", "reward.toml: \"recal-weight\" is no option of the reward"},
           {R"({"cutoff": 0})",
            "reward.toml: expected \"cutoff\" to be a whole number of at least 1, found 0"},
           {R"({"persistence": 1})",
            "reward.toml: expected \"persistence\" to be a number from 1e-06 to 0.999999, found 1"},
           {R"({"rule": "paper"})",
            "reward.toml: expected \"rule\" to be one of strict, published, found \"paper\""},
           {R"([])", "reward.toml: expected a table of options"}}) {
    EXPECT_EQ(read(text).error().to_string(), message);
  }
}

}  // namespace
}  // namespace rr
