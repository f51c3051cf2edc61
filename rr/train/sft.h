#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/base/thread_pool.h"
#include "rr/lm/generator.h"
#include "rr/nn/decoder.h"
#include "rr/nn/learner.h"
#include "rr/ranks/ranks.h"
#include "rr/train/adamw.h"
#include "rr/train/checkpoint.h"
#include "rr/train/epoch_order.h"
#include "rr/train/gradient_sum.h"
#include "rr/train/grpo/reward.h"
#include "rr/train/ranking/prompted_tasks.h"
#include "rr/train/ranking/ranking_loss.h"
#include "rr/train/ranking/ranking_quality.h"
#include "rr/train/ranking/ranking_tasks.h"
#include "rr/train/schedule.h"
#include "rr/train/sft_data.h"
#include "rr/train/sft_order.h"

namespace rr {

// What ranking tasks are learnt by, beside examples or alone.
struct RankingObjective {
  RankingLossKind loss = RankingLossKind::kSoftmax;
  double weight = 1;  // of the mean over a step's tasks, against the loss of the examples
  std::size_t tasks_per_step = 8;
};

struct SftOptions {
  Schedule schedule;
  RankingObjective ranking;
  AdamWOptions optimiser;
  double clip = 1.0;  // global norm; 0: none
  SftOrderOptions order;

  std::size_t save_every = 100;    // steps; the last one is always saved
  std::size_t keep_last = 2;       // checkpoints, beside the best
  std::size_t validate_every = 0;  // steps, and before the first; 0: only after the last

  std::size_t bucket_bytes = GradientSum::kBucketBytes;  // of gradients that ranks sum at once
};

// What a look at the held-out sets found.
struct SftValidation {
  std::optional<double> loss;             // of the examples
  std::optional<double> ndcg;             // of the tasks, by measure_accuracy()
  std::optional<RankingQuality> answers;  // to lists that were answered in words

  bool is_empty() const { return !loss && !ndcg && !answers; }

  // The lower the better: the loss where there is one, else 1 - nDCG. Requires that a set was
  // looked at.
  double badness() const;
};

// One step of all ranks, as metrics.jsonl has it.
struct SftStep {
  std::size_t step = 0;  // from 1
  double loss = 0;       // what the step makes smaller, before the update: mean of -log p over its
                         // completion tokens, and weight * ranking_loss
  std::optional<double> ranking_loss;  // mean over the step's tasks
  double grad_norm = 0;                // before clipping
  double rate = 0;
  std::size_t tokens = 0;             // read, prompts included
  std::size_t completion_tokens = 0;  // learnt
  double seconds = 0;
  double wait_s = 0;         // of the first rank, for the others and for sums after its own work
  SftValidation validation;  // after the update
};

// Sees the run go by: for a terminal.
class SftListener {
 public:
  virtual ~SftListener() = default;
  virtual void on_step(const SftStep& step, std::size_t num_steps) = 0;
  virtual void on_validation(std::size_t step, const SftValidation& found) = 0;
  virtual void on_saved(std::size_t step) = 0;
};

// Held-out lists that are answered in words, as `rerank --free-answer` has them answered.
struct AnsweredTasks {
  PromptedTasks tasks;
  RewardOptions reward;           // its format is that of the tasks' prompts
  std::size_t max_tokens = 3072;  // of a reply
  std::size_t num_samples = 4;    // replies that samples.jsonl gets each time

  // Writes the replies: as_learner, with the learner's adapters; and a generator on it, made anew
  // for each look, when nothing of the old weights is left.
  Decoder* decoder = nullptr;
  std::function<std::unique_ptr<Generator>()> make_generator;
};

// What a run learns, and is measured by. Pointers may be null, but not both of the first two.
struct SftSources {
  const SftData* examples = nullptr;
  const RankingTasks* tasks = nullptr;
  const SftData* validation = nullptr;
  const RankingTasks* validation_tasks = nullptr;
  const AnsweredTasks* answered_tasks = nullptr;
};

// Supervised fine-tuning: the loss is the mean of -log p over all completion tokens of a step,
// however its examples are spread over rows, and the weighted mean of the ranking loss over the
// step's tasks. The best checkpoint is the one of the least held-out loss, without held-out
// examples that of the highest nDCG. Everything but the learner and the optimiser follows from the
// number of the step, so that a run that was stopped goes on to the bit as if it had not been.
//
// Several ranks share a step's examples and tasks by their tokens, and held-out ones alike; after
// each step all have the same weights to the bit, those that one rank would have but for the order
// of sums. Every rank has a trainer of the same sources and options and makes the same calls, which
// fail together or not at all; a stop that one of them sees stops all. The first rank alone writes.
class SftTrainer {
 public:
  // Everything must outlive the trainer.
  SftTrainer(Learner& learner, const SftSources& sources, const SftOptions& options,
             ThreadPool& pool, Ranks& ranks);

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

  // Looks at all held-out sets; empty where there is none, or where `stop` was set before all
  // replies were written. Samples of replies go to `folder` where there is one.
  Result<SftValidation> validate(const RunFolder* folder, const std::atomic<bool>& stop);

  AdamW& optimiser() { return optimiser_; }

 private:
  struct Work;
  struct Sums;

  Result<Work> work_of(std::size_t step, SftStep& report) const;
  Result<Sums> learn(SftStep& report, const std::atomic<bool>& stop);
  Status learn_row(std::span<const std::size_t> row, std::size_t num_targets,
                   const GradientListener& on_complete, Sums& sums);
  Status learn_task(std::size_t task, const RankingExample& example,
                    const GradientListener& on_complete, Sums& sums);
  std::vector<EpochOrder::Place> tasks_of(std::size_t step) const;
  std::string contents_of(std::size_t step) const;
  void add_losses(std::span<const Sums> sums, SftStep& report) const;
  Result<double> held_out_loss();
  Result<Sums> held_out_share();
  Result<std::optional<RankingQuality>> look_at_answers(const RunFolder* folder,
                                                        const std::atomic<bool>& stop);
  Status validate_at_first(const RunFolder& folder, SftListener& listener,
                           const std::atomic<bool>& stop);
  Result<bool> validate_after(const RunFolder& folder, SftStep& done, SftListener& listener);
  std::string place_of(const SftData& data, std::size_t example) const;
  Status save(const RunFolder& folder, SftListener& listener);

  Learner& learner_;
  SftSources sources_;
  SftOptions options_;
  ThreadPool& pool_;
  Ranks& ranks_;
  GradientSum gradient_sum_;
  std::optional<SftOrder> order_;         // of the examples
  std::optional<EpochOrder> task_order_;  // of the tasks
  AdamW optimiser_;
  CheckpointState state_;
};

// A step, and a look at held-out sets by itself, as lines of metrics.jsonl.
Json to_json(const SftStep& step);
Json to_json(std::size_t step, const SftValidation& found);

}  // namespace rr
