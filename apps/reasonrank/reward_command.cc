#include <fmt/core.h>

#include <cstdio>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/jsonl_tool.h"
#include "apps/reasonrank/reward_options.h"
#include "rr/ir/id_spelling.h"
#include "rr/rerank/training_data.h"

namespace rr {
namespace {

constexpr const char* kExamples =
    R"(A response is a line {"qid": ..., "reply": ...}, with "tokens" and "limit" where the reward has terms of
length; several of a topic are a group of rollouts. A line comes out for each: qid, reward, format (right,
wrong-answer, wrong-form), ndcg, recall, rbo, penalty.

Examples:
  reasonrank reward --tasks ranking_tasks.jsonl < responses.jsonl
  reasonrank reward --tasks ranking_tasks.jsonl --reward published responses.jsonl -o rewards.jsonl
  reasonrank reward --reward reward.toml --explain)";

struct RewardCommandOptions {
  std::string tasks;
  std::string reward = "strict";
  bool explain = false;
  bool partial = false;
  JsonlOptions files;
};

using TaskRewards = std::unordered_map<std::string, TaskReward>;

Result<TaskRewards> read_rewards(const RewardCommandOptions& options, const RewardOptions& reward) {
  RR_TRY(const std::vector<RankingTask> tasks, read_ranking_tasks(options.tasks));
  TaskRewards rewards;
  for (const RankingTask& task : tasks) {
    if (rewards.try_emplace(task.qid.str(), task, reward).second) continue;
    return Error{Errc::kMalformed, fmt::format("topic {} has two tasks", task.qid.str()),
                 options.tasks};
  }
  return rewards;
}

struct Response {
  std::string qid;
  std::string reply;
  ReplyLength length;
};

// 0 where it is absent, which a term of length does not allow.
Result<std::size_t> count_of(const Json& object, const char* key, bool is_needed,
                             const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) {
    if (!is_needed) return std::size_t{0};
    return Error{Errc::kMalformed,
                 fmt::format("expected \"{}\", since the reward has a term of length", key), where};
  }
  if (found->is_number_unsigned()) return found->get<std::size_t>();
  return Error{Errc::kMalformed,
               fmt::format("expected \"{}\" to be a whole number, found {}", key, found->dump()),
               where};
}

Result<Response> read_response(const JsonlInput::Line& line, const RewardOptions& reward) {
  Response response;
  RR_TRY(const std::string qid, json_id(line.value, "qid", line.where));
  response.qid = read_spelling(qid);
  RR_TRY(response.reply, json_string(line.value, "reply", line.where));
  const bool needs_limit = reward.overlong_tokens > 0;
  const bool needs_tokens = needs_limit || reward.cost_per_1000_tokens > 0;
  RR_TRY(response.length.tokens, count_of(line.value, "tokens", needs_tokens, line.where));
  RR_TRY(response.length.limit, count_of(line.value, "limit", needs_limit, line.where));
  return response;
}

Json line_of(const Response& response, const Reward& reward) {
  return {{"qid", response.qid},
          {"reward", reward.total},
          {"format", reward_format_name(reward.format)},
          {"ndcg", reward.ndcg},
          {"recall", reward.recall},
          {"rbo", reward.overlap},
          {"penalty", reward.penalty}};
}

// What all responses came to.
class Summary {
 public:
  void add(const Response& response, const Reward& reward) {
    answered_.insert(response.qid);
    ++count_;
    total_ += reward.total;
    if (reward.format == RewardFormat::kRight) ++num_right_;
    if (reward.format == RewardFormat::kWrongForm) ++num_wrong_form_;
  }

  Status expect_all(const TaskRewards& tasks, const std::string& file) const {
    const std::size_t missing = tasks.size() - answered_.size();
    if (missing == 0) return ok_status();
    std::string first;
    for (const auto& [qid, reward] : tasks) {
      if (!answered_.contains(qid) && (first.empty() || qid < first)) first = qid;
    }
    return Error{Errc::kNotFound,
                 fmt::format("expected a response to each task, found none to {} of {}, such as {} "
                             "(--partial takes what there is)",
                             missing, tasks.size(), first),
                 file};
  }

  std::string text() const {
    const auto count = static_cast<double>(count_);
    return fmt::format(
        "{} responses: mean reward {:.4f}; {:.1f} % right, {:.1f} % with a wrong answer, {:.1f} % "
        "of a wrong form\n",
        count_, total_ / count, 100 * static_cast<double>(num_right_) / count,
        100 * static_cast<double>(count_ - num_right_ - num_wrong_form_) / count,
        100 * static_cast<double>(num_wrong_form_) / count);
  }
  bool is_empty() const { return count_ == 0; }

 private:
  std::unordered_set<std::string> answered_;
  std::size_t count_ = 0;
  std::size_t num_right_ = 0;
  std::size_t num_wrong_form_ = 0;
  double total_ = 0;
};

Status reward_responses(const RewardCommandOptions& options) {
  RR_TRY(const RewardOptions reward, find_reward(options.reward));
  if (options.explain) {
    std::fputs(explain(reward).c_str(), stdout);
    return ok_status();
  }
  RR_TRY(const TaskRewards tasks, read_rewards(options, reward));
  JsonlInput input(options.files);
  RR_TRY(JsonlOutput output, JsonlOutput::open(options.files.output));
  Summary summary;
  while (true) {
    RR_TRY(const std::optional<JsonlInput::Line> line, input.next());
    if (!line) break;
    RR_TRY(const Response response, read_response(*line, reward));
    const auto task = tasks.find(response.qid);
    if (task == tasks.end()) {
      return Error{Errc::kNotFound,
                   fmt::format("expected a topic of {}, found {}", options.tasks, response.qid),
                   line->where};
    }
    const Reward found = task->second.of(response.reply, response.length);
    summary.add(response, found);
    RR_TRY_STATUS(output.write(line_of(response, found)));
  }
  if (!options.partial) RR_TRY_STATUS(summary.expect_all(tasks, options.tasks));
  RR_TRY_STATUS(output.commit());
  if (!summary.is_empty()) std::fputs(summary.text().c_str(), stderr);
  return ok_status();
}

}  // namespace

void add_reward_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<RewardCommandOptions>();
  CLI::App* const command =
      app.add_subcommand("reward", "Reward answers as reinforcement learning does");
  command->add_option("--tasks", options->tasks,
                      "ranking_tasks.jsonl (docs/formats/training-data.md)");
  command
      ->add_option("--reward,--config", options->reward,
                   "strict, published, or a TOML file (docs/formats/reward.md)")
      ->type_name("NAME|FILE")
      ->capture_default_str();
  command->add_flag("--explain", options->explain, "say the formula in use, and nothing else");
  command->add_flag("--partial", options->partial, "do not mind tasks without a response");
  command->add_option("files", options->files.files, "responses; none or -: standard input");
  command->add_option("-o,--output", options->files.output,
                      "a file instead of standard output; appears when it is whole");
  command->footer(kExamples);
  command->callback([options, &exit_code] {
    if (options->tasks.empty() && !options->explain) {
      std::fputs("reasonrank reward: expected --tasks with a file, or --explain\n", stderr);
      exit_code = kExitUsage;
      return;
    }
    const Status status = reward_responses(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
