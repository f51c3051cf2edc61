#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "rr/base/result.h"
#include "rr/lm_local/local_model.h"
#include "rr/nn/learner.h"
#include "rr/train/ranking/prompted_tasks.h"
#include "rr/train/sft_settings.h"

// A model that learns also writes: replies to learn from, or to be judged by. It is loaded a second
// time, in the form that writes; the trainer hands it what was learnt.

namespace rr {

// `precision`: the learner's, whose weights say to the bit what these say.
LocalModelOptions reply_writer_options(Precision precision, const std::string& chat_template,
                                       std::size_t num_threads,
                                       const std::optional<LoraShape>& lora);

// The lists of a file, with the prompts of `mode` (a name of PromptMode) that ask for their order.
Result<PromptedTasks> read_lists(const std::filesystem::path& path, const std::string& mode,
                                 std::size_t passage_tokens, const TextModel& model,
                                 std::size_t max_prompt_tokens);

// "lists.jsonl: 20 tasks, prompts of up to 900 tokens; left out: ...", for people.
std::string describe(const PromptedTasks& tasks, const std::string& path);

// What a run takes in which a model writes beside learning.
struct WritingMemory {
  TrainingMemory training;
  std::size_t writer_bytes = 0;  // weights of what writes
  std::size_t kv_bytes = 0;      // its keys and values
  std::size_t total() const { return training.total() + writer_bytes + kv_bytes; }
};

// Divides what `limit` leaves beside the weights between the learner's activations
// (plan_training_memory) and keys and values, which get `wanted_kv_bytes` or a third.
Result<WritingMemory> plan_writing_memory(const DecoderConfig& config, std::size_t row_tokens,
                                          std::size_t limit, std::size_t writer_bytes,
                                          std::size_t wanted_kv_bytes, LearnerOptions& learner);

// "3.2 GiB of 18.4: ...", for people.
std::string describe(const WritingMemory& memory, std::size_t limit, std::size_t num_layers);

}  // namespace rr
