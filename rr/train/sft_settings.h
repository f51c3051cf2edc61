#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/nn/learner.h"
#include "rr/train/learning_settings.h"
#include "rr/train/sft.h"

namespace rr {

// What a run of supervised fine-tuning is asked to do: the flags of `train sft`, the keys of its
// configuration file and the "settings" of run.json, by the same names. Defaults are the published
// system's (reasoning models of 7B: full; 32B: LoRA), but for max_length, which the model bounds.
// Without a learning rate: 5e-6, with LoRA 1e-4.
struct SftSettings : LearningSettings {
  SftSettings() { warmup = 0.1; }

  std::string data;              // examples; may be empty where there are tasks
  std::string validation;        // empty: none
  std::string tasks;             // ranking tasks, learnt by a ranking loss; empty: none
  std::string validation_tasks;  // empty: none

  std::size_t steps = 0;  // 0: as many as `epochs` are
  double epochs = 5;
  std::size_t batch_size = 1;  // examples, `accumulate` times a step
  std::size_t accumulate = 64;

  std::size_t max_length = 0;  // tokens of an example; 0: the model's context, at most 23,552
  std::string long_examples = "drop";  // or "cut"
  bool shuffle = true;
  bool group_by_length = false;

  // How tasks are learnt.
  std::string method = "pointwise";       // or "first": as `rerank --method` will ask
  std::string ranking_loss = "softmax";   // or "ranknet"
  std::string ranking_target = "grades";  // or "order", the teacher's
  double ranking_weight = 1;
  std::size_t tasks_per_step = 8;

  // How validation tasks are ranked: "pointwise", "first", or "listwise", where the model answers
  // them in words. Empty: as tasks are learnt, without any listwise.
  std::string validation_method;
  std::size_t max_tokens = 3072;  // of an answer, its thoughts included

  bool validates_answers() const;
};

// Refuses in one sentence what cannot be meant: a learning rate that is 0, negative or no number, a
// batch of nothing, a context longer than the model's.
Status check_settings(const SftSettings& settings, std::size_t context_length);

Json to_json(const SftSettings& settings);
Result<SftSettings> sft_settings_from_json(const Json& json, const std::string& where);

// What the settings mean for the parts, beside learner_options().
RankingTaskOptions task_options(const SftSettings& settings, std::size_t context_length);
// Of validation tasks that are not answered in words.
RankingTaskOptions validation_task_options(const SftSettings& settings, std::size_t context_length);
SftDataOptions data_options(const SftSettings& settings, std::size_t context_length);
// Of data and tasks, one may be null.
SftOptions sft_options(const SftSettings& settings, const SftData* data, const RankingTasks* tasks);

// Bytes that a run takes.
struct TrainingMemory {
  LearnerMemory learner;
  std::size_t optimiser_bytes = 0;
  std::size_t total() const { return learner.total() + optimiser_bytes; }
};

// Plans a run within `limit` bytes: what is left beside weights, gradients and moments goes to the
// layers' activations (options.activation_bytes is set). Refused, with the numbers, where not even
// one layer's fit. `row_tokens`: the most that go through the model at once.
Result<TrainingMemory> plan_training_memory(const DecoderConfig& config, std::size_t row_tokens,
                                            std::size_t limit, LearnerOptions& options);

// The tokens of the longest row that a run will have. Each may be null.
std::size_t longest_row(const SftSettings& settings, const SftSources& sources);

}  // namespace rr
