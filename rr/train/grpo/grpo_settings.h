#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/train/grpo/grpo.h"
#include "rr/train/learning_settings.h"
#include "rr/train/sft_settings.h"

namespace rr {

// What a run of reinforcement learning is asked to do: the flags of `train grpo`, the keys of its
// configuration file and the "settings" of run.json, by the same names. Defaults are the published
// system's (7B: full; 32B: LoRA), but for lengths, which the model bounds. Without a learning rate:
// 1e-6, with LoRA 1e-5.
struct GrpoSettings : LearningSettings {
  GrpoSettings();

  std::vector<std::string> adapters;  // folded into the model before it learns
  std::string tasks;
  std::string validation;  // empty: none

  std::size_t steps = 200;
  std::size_t tasks_per_step = 16;
  std::size_t group = 8;
  std::size_t mini_batches = 2;
  std::size_t epochs = 1;
  std::size_t max_tokens = 3072;
  std::size_t max_prompt = 20480;

  double clip_low = 0.2;
  double clip_high = 0.2;
  double dual_clip = 3;
  double kl = 0.001;
  std::string reference;               // a model that KL is measured from; empty: the start
  std::string loss_mean = "sequence";  // "token"
  bool deviation = true;
  std::size_t refills = 1;
  Json reward = Json::object();  // RewardOptions

  double agreement = 0;  // 0: 1e-3, in f32 1e-5
};

// Refuses in one sentence what cannot be meant: a group of one, no step, a learning rate below 0,
// lengths that no context holds.
Status check_settings(const GrpoSettings& settings, std::size_t context_length);

Json to_json(const GrpoSettings& settings);
Result<GrpoSettings> grpo_settings_from_json(const Json& json, const std::string& where);

// What the settings mean for the parts, beside learner_options(). Requires settings that were
// checked.
Result<GrpoOptions> grpo_options(const GrpoSettings& settings);

// The most tokens of a prompt: what the settings say, and what the context leaves beside a reply.
std::size_t prompt_limit(const GrpoSettings& settings, std::size_t context_length);

// The tokens of the longest row that a run may have.
std::size_t longest_row(const GrpoSettings& settings, std::size_t longest_prompt);

}  // namespace rr
