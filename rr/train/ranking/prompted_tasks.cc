#include "rr/train/ranking/prompted_tasks.h"

#include <fmt/core.h>

#include <algorithm>
#include <span>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/sha256.h"
#include "rr/rerank/answer.h"

namespace rr {
namespace {

// Whether one order can be better than another.
bool has_something_to_find(const RankingTask& task) {
  std::size_t relevant = 0;
  for (const auto& [docid, grade] : task.grades) relevant += grade > 0 ? 1 : 0;
  return relevant > 0 && (relevant < task.passages.size() || !task.final_list.empty());
}

}  // namespace

std::size_t PromptedTasks::longest_prompt() const {
  std::size_t longest = 0;
  for (const PromptedTask& task : tasks) longest = std::max(longest, task.prompt.size());
  return longest;
}

Result<PromptedTasks> read_prompted_tasks(const std::filesystem::path& path,
                                          const PromptBuilder& prompts, const TextModel& model,
                                          std::size_t max_prompt_tokens) {
  RR_TRY(const std::string bytes, read_file(path));
  RR_TRY(std::vector<RankingTask> read, read_ranking_tasks(path));
  PromptedTasks tasks;
  tasks.num_read = read.size();
  tasks.sha256 = sha256_hex(std::as_bytes(std::span(bytes)));
  for (RankingTask& task : read) {
    RR_TRY_STATUS(check_relevant_listed(task, path.string()));
    if (task.passages.size() == 1) {
      ++tasks.num_single;
      continue;
    }
    if (!has_something_to_find(task)) {
      ++tasks.num_hopeless;
      continue;
    }
    RR_TRY(TokenIds prompt,
           encode_prompt(prompt_of(task, prompts), prompts.mode(), AnswerOptions{}, model));
    if (prompt.size() > max_prompt_tokens) {
      ++tasks.num_long;
      continue;
    }
    if (task.final_list.empty()) ++tasks.num_without_order;
    tasks.tasks.push_back({std::move(task), std::move(prompt)});
  }
  if (!tasks.tasks.empty()) return tasks;
  return Error{Errc::kRejected,
               fmt::format("expected a task to learn from, found none: of {}, {} have a prompt of "
                           "more than {} tokens, {} no passage that should stand before another, "
                           "{} a single passage",
                           tasks.num_read, tasks.num_long, max_prompt_tokens, tasks.num_hopeless,
                           tasks.num_single),
               path.string()};
}

}  // namespace rr
