#pragma once

#include <atomic>
#include <cstddef>
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
#include "rr/train/grpo/collapse_watch.h"
#include "rr/train/grpo/policy_loss.h"
#include "rr/train/grpo/reward.h"
#include "rr/train/grpo/rollout.h"
#include "rr/train/ranking/prompted_tasks.h"
#include "rr/train/ranking/ranking_quality.h"
#include "rr/train/schedule.h"

namespace rr {

struct GrpoOptions {
  Schedule schedule;
  AdamWOptions optimiser;
  double clip = 1.0;  // global norm; 0: none

  std::size_t tasks_per_step = 16;
  std::size_t mini_batches = 2;  // optimiser updates in one pass over a step's rollouts
  std::size_t epochs = 1;        // passes
  RolloutOptions rollouts;
  RewardOptions reward;
  PolicyLossOptions loss;
  LossMean mean = LossMean::kSequence;
  bool divides_by_deviation = true;

  // Groups whose rewards are all equal give way to other tasks, as long as some have been tried
  // (dynamic sampling: Yu et al., arXiv 2503.14476): at most this many times a step's tasks are
  // rolled out. 1: what comes is taken.
  std::size_t most_refills = 1;

  // The mean difference of a token's log-probability, as written and as learnt, at which a run
  // stops.
  double most_disagreement = 1e-3;

  std::size_t row_tokens = 8192;  // that go through the learner at once, where a group has more

  std::size_t save_every = 25;     // steps; the last one is always saved
  std::size_t keep_last = 2;       // checkpoints, beside the best
  std::size_t validate_every = 0;  // steps, and before the first; 0: only after the last
  std::size_t num_samples = 4;     // replies to held-out tasks that samples.jsonl gets each time

  std::size_t bucket_bytes = GradientSum::kBucketBytes;  // of gradients that ranks sum at once
};

// A mean and how far values lie from it (sample deviation).
struct Spread {
  double mean = 0;
  double deviation = 0;
};

// One step of all ranks, as metrics.jsonl has it.
struct GrpoStep {
  std::size_t step = 0;  // from 1
  Spread reward;
  Spread ndcg;  // of replies with a right answer, as the next two
  Spread recall;
  Spread overlap;
  double right_form = 0;    // share of rollouts
  double right_answer = 0;  // share of rollouts
  double teaching = 0;      // share of groups whose rewards differ
  double advantage = 0;     // mean size
  Spread tokens;            // of a rollout
  double cut = 0;           // share of rollouts that reached the limit
  std::size_t num_groups = 0;
  std::size_t num_tried = 0;  // tasks rolled out, those that gave way included

  double policy_loss = 0;  // mean over the step's updates, as the next ones
  double kl = 0;
  double clipped = 0;       // share of tokens
  double dual_clipped = 0;  // share of tokens
  double entropy = 0;       // mean -log p of what was drawn: an estimate, nats a token
  double disagreement = 0;  // mean difference of log p, writing against learning
  double worst_disagreement = 0;
  double disagreement_kl = 0;  // k3 of the two
  double grad_norm = 0;        // before clipping
  double rate = 0;

  std::size_t rollout_tokens = 0;  // written
  std::size_t learn_tokens = 0;    // through the learner, prompts included
  double rollout_s = 0;
  double learn_s = 0;
  double seconds = 0;
  double wait_s = 0;  // of learn_s: of the first rank, for the others and for sums
  std::optional<RankingQuality> validation;  // after the update
  std::vector<std::string> warnings;
};

// Sees the run go by: for a terminal.
class GrpoListener {
 public:
  virtual ~GrpoListener() = default;
  // Of the replies that this rank writes.
  virtual void on_rollouts(std::size_t step, std::size_t done, std::size_t total) = 0;
  virtual void on_step(const GrpoStep& step, std::size_t num_steps) = 0;
  virtual void on_validation(std::size_t step, const RankingQuality& quality) = 0;
  virtual void on_saved(std::size_t step) = 0;
};

// The model that learns, in its two forms, and the one it began with.
struct GrpoModel {
  Learner& learner;
  Decoder& decoder;  // writes the rollouts; as_learner, with the learner's adapters

  // A generator on `decoder`, made anew for each step, when nothing of the old weights is left.
  std::function<std::unique_ptr<Generator>()> make_generator;

  // The reference that KL is measured from: any decoder of the same vocabulary. Where it is null,
  // the learner without its adapters; null without adapters requires a kl_coefficient of 0.
  Decoder* reference = nullptr;
};

// Group relative policy optimisation (Shao et al., arXiv 2402.03300): for each task of a step a
// group of replies is written and rewarded; what was better than its group becomes more likely.
// Rollouts and gradients come from the same kernels, so that the log-probabilities of writing serve
// as those of the policy before the update.
//
// Everything follows from the settings, the seed and the number of the step: a run that was stopped
// goes on to the bit as if it had not been.
//
// Several ranks share the tasks of a step to write and its groups to learn from; each knows all
// replies, which are those that one rank would have written, and after each update all have the
// same weights to the bit: those of one rank but for the order of sums. Otherwise as SftTrainer.
class GrpoTrainer {
 public:
  // Everything must outlive the trainer. `validation` may be null.
  GrpoTrainer(GrpoModel model, const PromptedTasks& train, const PromptedTasks* validation,
              const GrpoOptions& options, ThreadPool& pool, Ranks& ranks);

  // Goes on from the run's newest checkpoint, if there is one. `damaged` gets those passed over.
  Status restore(const RunFolder& folder, std::vector<std::string>& damaged);

  std::size_t num_done() const { return state_.step; }

  // Steps until all are done or `stop` is set, which is looked at while rollouts are written;
  // writes metrics, samples and checkpoints, the last one before it returns. Fails, with the last
  // good checkpoint in place, where a log-probability or a gradient is not finite, where writing
  // and learning disagree, or where something cannot be written.
  Status run(const RunFolder& folder, GrpoListener& listener, const std::atomic<bool>& stop);

  // One step, and nothing written; nullopt where `stop` was set before its rollouts were, and
  // nothing has changed then. For run() and for tests.
  Result<std::optional<GrpoStep>> step(GrpoListener& listener, const std::atomic<bool>& stop);

  // How well the held-out tasks are answered now. nullopt where `stop` was set. Requires a
  // validation set. Samples of replies go to `folder` where there is one.
  Result<std::optional<RankingQuality>> validate(const RunFolder* folder,
                                                 const std::atomic<bool>& stop);

 private:
  struct Row;
  struct Sums;

  Result<std::optional<std::vector<RolloutGroup>>> collect_groups(GrpoStep& report,
                                                                  std::size_t& next_task,
                                                                  GrpoListener& listener,
                                                                  const std::atomic<bool>& stop);
  std::vector<std::size_t> tasks_from(std::size_t next_task, std::size_t count) const;
  std::vector<const RolloutGroup*> own_share(std::span<const RolloutGroup> groups) const;
  std::vector<Row> rows_of(std::span<const RolloutGroup* const> groups) const;
  Status learn(std::span<const RolloutGroup> groups, Sums& sums);
  Status update(std::span<const RolloutGroup> groups, Sums& sums);
  Status learn_rows(std::span<const RolloutGroup> groups, bool is_first, Sums& sums);
  Status learn_row(const Row& row, std::size_t num_rollouts, std::size_t num_tokens, bool is_first,
                   const GradientListener& on_complete, Sums& sums);
  std::vector<float> reference_logprobs(const Row& row, const LearnerBatch& batch);
  Status check_agreement(const Sums& sums) const;
  Status validate_at_first(const RunFolder& folder, GrpoListener& listener,
                           const std::atomic<bool>& stop);
  Result<bool> validate_after(const RunFolder& folder, GrpoStep& done, GrpoListener& listener);
  Status save(const RunFolder& folder, GrpoListener& listener);

  GrpoModel model_;
  const PromptedTasks& train_;
  const PromptedTasks* validation_;
  GrpoOptions options_;
  ThreadPool& pool_;
  Ranks& ranks_;
  GradientSum gradient_sum_;
  EpochOrder order_;
  AdamW optimiser_;
  CheckpointState state_;
  CollapseWatch watch_;
};

// A step, and a look at held-out tasks by itself, as lines of metrics.jsonl.
Json to_json(const GrpoStep& step);
Json to_json(std::size_t step, const RankingQuality& quality);

}  // namespace rr
