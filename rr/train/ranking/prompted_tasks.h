#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/lm/generator.h"
#include "rr/rerank/prompt.h"
#include "rr/rerank/training_data.h"

namespace rr {

// A list to rank, with the prompt that asks for it as tokens.
struct PromptedTask {
  RankingTask task;
  TokenIds prompt;
};

// The tasks of a file that rewards can teach something, and how many cannot.
struct PromptedTasks {
  std::vector<PromptedTask> tasks;
  std::size_t num_read = 0;
  std::size_t num_long = 0;           // prompts of more than max_prompt_tokens
  std::size_t num_hopeless = 0;       // no passage is relevant, or every one is
  std::size_t num_single = 0;         // one passage: there is only one order
  std::size_t num_without_order = 0;  // of `tasks`: rewarded without the overlap term
  std::string sha256;                 // of the file's bytes

  std::size_t num_left_out() const { return num_long + num_hopeless + num_single; }
  std::size_t longest_prompt() const;
};

// Reads ranking_tasks.jsonl (docs/formats/training-data.md). Tasks that cannot teach are left out
// and counted. Refused: what the format refuses, a relevant passage that is not in the list, a file
// of which nothing is left.
Result<PromptedTasks> read_prompted_tasks(const std::filesystem::path& path,
                                          const PromptBuilder& prompts, const TextModel& model,
                                          std::size_t max_prompt_tokens);

}  // namespace rr
