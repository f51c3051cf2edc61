#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "rr/base/result.h"
#include "rr/nn/learner.h"
#include "rr/train/schedule.h"

namespace rr {

// What all kinds of training are asked alike: flags of `train`, keys of its configuration files and
// "settings" of run.json, by the same names. Kinds with other defaults set them.
struct LearningSettings {
  std::string model;
  std::string chat_template;         // empty: as the model's files say
  std::string mode = "reasoning";    // of listwise prompts, as `rerank --mode`
  std::size_t passage_tokens = 512;  // of a passage in a prompt

  double lr = 0;                    // 0: what suits the kind, in full or with adapters
  std::string schedule = "cosine";  // "constant", "linear"
  double warmup = 0;                // below 1: share of the steps; else steps
  double weight_decay = 0;          // of matrices
  double clip = 1;                  // largest norm of the gradient; 0: any
  std::string precision = "bf16";   // "f32"; with lora also "int8", "int4"
  std::size_t row_tokens = 2048;    // that go through the learner at once
  std::size_t lora = 0;             // rank; 0: all weights learn
  double lora_alpha = 0;            // 0: the rank
  std::uint64_t seed = 42;

  std::size_t save_every = 100;    // steps
  std::size_t keep = 2;            // checkpoints beside the best
  std::size_t validate_every = 0;  // steps; 0: at the end
  std::size_t samples = 4;         // held-out replies that samples.jsonl gets each time
};

// Refuses in one sentence what cannot be meant: a learning rate that is negative or no number, a
// scale of adapters that are not there, weights in few bits that should learn.
Status check_learning_settings(const LearningSettings& settings);

// What the settings mean for the parts.
LearnerOptions learner_options(const LearningSettings& settings);
Schedule schedule_of(const LearningSettings& settings, double peak, std::size_t num_steps);

// Adapters of a rank; 0: none. alpha 0: the rank.
std::optional<LoraShape> lora_shape(std::size_t rank, double alpha);

}  // namespace rr
