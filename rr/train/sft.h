#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/base/thread_pool.h"
#include "rr/nn/learner.h"
#include "rr/train/adamw.h"
#include "rr/train/checkpoint.h"
#include "rr/train/schedule.h"
#include "rr/train/sft_data.h"
#include "rr/train/sft_order.h"

namespace rr {

struct SftOptions {
  Schedule schedule;
  AdamWOptions optimiser;
  double clip = 1.0;  // global norm; 0: none
  SftOrderOptions order;

  std::size_t save_every = 100;    // steps; the last one is always saved
  std::size_t keep_last = 2;       // checkpoints, beside the best
  std::size_t validate_every = 0;  // steps; 0: only after the last
};

// One step, as metrics.jsonl has it.
struct SftStep {
  std::size_t step = 0;  // from 1
  double loss = 0;       // mean of -log p over the step's completion tokens, before the update
  double grad_norm = 0;  // before clipping
  double rate = 0;
  std::size_t tokens = 0;             // read, prompts included
  std::size_t completion_tokens = 0;  // learnt
  double seconds = 0;
  std::optional<double> validation_loss;  // after the update
};

// Sees the run go by: for a terminal.
class SftListener {
 public:
  virtual ~SftListener() = default;
  virtual void on_step(const SftStep& step, std::size_t num_steps) = 0;
  virtual void on_saved(std::size_t step) = 0;
};

// Supervised fine-tuning: the loss is the mean of -log p over all completion tokens of a step,
// however its examples are spread over rows. Everything but the learner and the optimiser follows
// from the number of the step, so that a run that was stopped goes on to the bit as if it had not
// been.
class SftTrainer {
 public:
  // Everything must outlive the trainer. `validation` may be null.
  SftTrainer(Learner& learner, const SftData& train, const SftData* validation,
             const SftOptions& options, ThreadPool& pool);

  // Goes on from the run's newest checkpoint, if there is one. `damaged` gets those passed over.
  Status restore(const RunFolder& folder, std::vector<std::string>& damaged);

  std::size_t num_done() const { return state_.step; }

  // Steps until all are done or `stop` is set; writes metrics and checkpoints, the last one before
  // it returns. Fails, with the last good checkpoint in place, where a log-probability or a
  // gradient is not finite (with step, tensor and example), or where something cannot be written.
  Status run(const RunFolder& folder, SftListener& listener, const std::atomic<bool>& stop);

  // One step, and nothing written; nullopt where `stop` was set before it was whole, and nothing
  // has changed then. For run() and for tests.
  Result<std::optional<SftStep>> step(const std::atomic<bool>& stop);

  // Mean of -log p over the completion tokens of the validation set. Requires that there is one.
  Result<double> validate();

  AdamW& optimiser() { return optimiser_; }

 private:
  Status learn_row(std::span<const std::size_t> row, std::size_t num_targets, double& loss);
  std::string place_of(const SftData& data, std::size_t example) const;
  Status save(const RunFolder& folder, SftListener& listener);

  Learner& learner_;
  const SftData& train_;
  const SftData* validation_;
  SftOptions options_;
  ThreadPool& pool_;
  SftOrder order_;
  AdamW optimiser_;
  CheckpointState state_;
};

// A step as a line of metrics.jsonl.
Json to_json(const SftStep& step);

}  // namespace rr
