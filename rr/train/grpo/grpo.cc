#include "rr/train/grpo/grpo.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/clock.h"
#include "rr/nn/token_logprobs.h"
#include "rr/train/internal/finite.h"
#include "rr/train/ranked_run.h"
#include "rr/train/work_share.h"

namespace rr {
namespace {

Spread spread_of(std::span<const double> values) {
  if (values.empty()) return {};
  const auto count = static_cast<double>(values.size());
  Spread spread;
  for (const double value : values) spread.mean += value / count;
  if (values.size() < 2) return spread;
  double squares = 0;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  spread.deviation = std::sqrt(squares / (count - 1));
  return spread;
}

// What a step's rollouts came to, those of groups that gave way included.
class RolloutSums {
 public:
  void add(const RolloutGroup& group) {
    ++num_groups_;
    if (group.teaches()) ++num_teaching_;
    for (const Rollout& rollout : group.rollouts) add(rollout);
  }

  void report(GrpoStep& step) const {
    const auto share = [&](std::size_t count) {
      return static_cast<double>(count) / static_cast<double>(rewards_.size());
    };
    step.reward = spread_of(rewards_);
    step.ndcg = spread_of(ndcg_);
    step.recall = spread_of(recall_);
    step.overlap = spread_of(overlap_);
    step.tokens = spread_of(tokens_);
    step.right_form = share(num_right_form_);
    step.right_answer = share(ndcg_.size());
    step.cut = share(num_cut_);
    step.advantage = advantages_ / static_cast<double>(rewards_.size());
    step.teaching = static_cast<double>(num_teaching_) / static_cast<double>(num_groups_);
    step.entropy = -logprobs_ / static_cast<double>(step.rollout_tokens);
  }

 private:
  void add(const Rollout& rollout) {
    rewards_.push_back(rollout.reward.total);
    tokens_.push_back(static_cast<double>(rollout.ids.size()));
    if (rollout.was_cut) ++num_cut_;
    if (rollout.reward.format != RewardFormat::kWrongForm) ++num_right_form_;
    advantages_ += std::abs(rollout.advantage);
    for (const float logprob : rollout.logprobs) logprobs_ += static_cast<double>(logprob);
    if (rollout.reward.format != RewardFormat::kRight) return;
    ndcg_.push_back(rollout.reward.ndcg);
    recall_.push_back(rollout.reward.recall);
    overlap_.push_back(rollout.reward.overlap);
  }

  std::vector<double> rewards_;
  std::vector<double> ndcg_;
  std::vector<double> recall_;
  std::vector<double> overlap_;
  std::vector<double> tokens_;
  std::size_t num_right_form_ = 0;
  std::size_t num_cut_ = 0;
  std::size_t num_groups_ = 0;
  std::size_t num_teaching_ = 0;
  double advantages_ = 0;
  double logprobs_ = 0;
};

}  // namespace

// Rollouts that go through the learner together: the prompt of each group once.
struct GrpoTrainer::Row {
  struct Part {
    const RolloutGroup* group;
    std::vector<const Rollout*> rollouts;
  };
  std::vector<Part> parts;
  std::size_t tokens = 0;
};

// What learning from a step's rollouts came to; plain, for exchange_values().
struct GrpoTrainer::Sums {
  std::size_t num_updates = 0;
  double wait_s = 0;
  std::size_t learn_tokens = 0;
  std::size_t tokens = 0;  // learnt
  double policy_loss = 0;  // of all updates
  double kl = 0;
  std::size_t clipped = 0;
  std::size_t dual_clipped = 0;
  double grad_norm = 0;

  // Of the tokens of the first update, which the weights that wrote them learn.
  std::size_t compared = 0;
  double apart = 0;
  double worst_apart = 0;
  double apart_kl = 0;

  void compare(double written, double learnt) {
    const double ratio = written - learnt;
    ++compared;
    apart += std::abs(ratio);
    worst_apart = std::max(worst_apart, std::abs(ratio));
    apart_kl += std::exp(ratio) - ratio - 1;
  }
  // What another rank learnt of the same update, or the sums of another update.
  void add(const Sums& other) {
    learn_tokens += other.learn_tokens;
    tokens += other.tokens;
    policy_loss += other.policy_loss;
    kl += other.kl;
    clipped += other.clipped;
    dual_clipped += other.dual_clipped;
    compared += other.compared;
    apart += other.apart;
    worst_apart = std::max(worst_apart, other.worst_apart);
    apart_kl += other.apart_kl;
  }
  double mean_apart() const { return compared == 0 ? 0 : apart / static_cast<double>(compared); }

  void report(GrpoStep& step) const {
    const auto updates = static_cast<double>(std::max<std::size_t>(1, num_updates));
    const auto learnt = static_cast<double>(std::max<std::size_t>(1, tokens));
    step.policy_loss = policy_loss / updates;
    step.kl = kl / updates;
    step.grad_norm = grad_norm / updates;
    step.clipped = static_cast<double>(clipped) / learnt;
    step.dual_clipped = static_cast<double>(dual_clipped) / learnt;
    step.disagreement = mean_apart();
    step.worst_disagreement = worst_apart;
    if (compared > 0) step.disagreement_kl = apart_kl / static_cast<double>(compared);
    step.learn_tokens = learn_tokens;
    step.wait_s = wait_s;
  }
};

GrpoTrainer::GrpoTrainer(GrpoModel model, const PromptedTasks& train,
                         const PromptedTasks* validation, const GrpoOptions& options,
                         ThreadPool& pool, Ranks& ranks)
    : model_(std::move(model)),
      train_(train),
      validation_(validation),
      options_(options),
      pool_(pool),
      ranks_(ranks),
      gradient_sum_(model_.learner.parameters(), ranks, options.bucket_bytes),
      order_("grpo", train.tasks.size(), true, options.rollouts.seed),
      optimiser_(model_.learner.parameters(), options.optimiser) {
  model_.decoder.adopt(model_.learner.parameters());
}

Status GrpoTrainer::restore(const RunFolder& folder, std::vector<std::string>& damaged) {
  RR_TRY(state_, restore_on_all(ranks_, folder, model_.learner.parameters(), optimiser_, damaged));
  if (state_.step == 0) return ok_status();
  model_.learner.update();
  model_.decoder.adopt(model_.learner.parameters());
  return ok_status();
}

std::vector<std::size_t> GrpoTrainer::tasks_from(std::size_t next_task, std::size_t count) const {
  std::vector<std::size_t> chosen;
  for (const EpochOrder::Place& place : order_.take(next_task, count)) {
    chosen.push_back(place.thing);
  }
  return chosen;
}

Result<std::optional<std::vector<RolloutGroup>>> GrpoTrainer::collect_groups(
    GrpoStep& report, std::size_t& next_task, GrpoListener& listener,
    const std::atomic<bool>& stop) {
  const std::unique_ptr<Generator> generator = model_.make_generator();
  const bool refills = options_.most_refills > 1;
  RolloutSums sums;
  std::vector<RolloutGroup> groups;
  for (std::size_t round = 0; round < options_.most_refills; ++round) {
    const std::size_t missing = options_.tasks_per_step - groups.size();
    if (missing == 0) break;
    const std::vector<std::size_t> chosen = tasks_from(next_task, missing);
    RR_TRY(auto written, write_rollouts(
                             *generator, train_, chosen, report.step, options_.rollouts, ranks_,
                             [&](std::size_t done, std::size_t total) {
                               listener.on_rollouts(report.step, done, total);
                             },
                             stop));
    if (!written) return std::optional<std::vector<RolloutGroup>>();
    judge_rollouts(*written, train_, options_.reward, options_.rollouts.max_tokens,
                   options_.divides_by_deviation);
    next_task += missing;
    report.num_tried += missing;
    for (RolloutGroup& group : *written) {
      for (const Rollout& rollout : group.rollouts) report.rollout_tokens += rollout.ids.size();
      sums.add(group);
      if (!refills || group.teaches()) groups.push_back(std::move(group));
    }
  }
  report.num_groups = groups.size();
  sums.report(report);
  return std::optional(std::move(groups));
}

Result<std::optional<GrpoStep>> GrpoTrainer::step(GrpoListener& listener,
                                                  const std::atomic<bool>& stop) {
  const Clock::time_point start = Clock::now();
  GrpoStep report;
  report.step = state_.step + 1;
  report.rate = options_.schedule.rate_at(report.step);
  std::size_t next_task = state_.next_task;
  RR_TRY(const auto groups, collect_groups(report, next_task, listener, stop));
  if (!groups) return std::optional<GrpoStep>();
  report.rollout_s = seconds_since(start);
  Sums sums;
  RR_TRY_STATUS(learn(*groups, sums));
  sums.report(report);
  model_.decoder.adopt(model_.learner.parameters());
  state_.step = report.step;
  state_.next_task = next_task;
  report.seconds = seconds_since(start);
  report.learn_s = report.seconds - report.rollout_s;
  report.warnings =
      watch_.look({report.right_form, report.teaching, report.entropy, report.kl, report.cut});
  return std::optional(std::move(report));
}

// Whole groups go into a mini-batch.
Status GrpoTrainer::learn(std::span<const RolloutGroup> groups, Sums& sums) {
  const std::size_t parts = std::min(options_.mini_batches, groups.size());
  for (std::size_t epoch = 0; epoch < options_.epochs; ++epoch) {
    for (std::size_t part = 0; part < parts; ++part) {
      const std::size_t begin = groups.size() * part / parts;
      const std::size_t end = groups.size() * (part + 1) / parts;
      RR_TRY_STATUS(update(groups.subspan(begin, end - begin), sums));
    }
  }
  return ok_status();
}

Status GrpoTrainer::update(std::span<const RolloutGroup> groups, Sums& sums) {
  std::string topics;
  for (const RolloutGroup& group : groups) {
    topics += fmt::format("{}{}", topics.empty() ? "topics " : ", ",
                          train_.tasks[group.task].task.qid.str());
  }
  model_.learner.clear_gradients();
  Sums own;
  const Status status = learn_rows(groups, sums.num_updates == 0, own);
  const Clock::time_point end_of_own = Clock::now();
  gradient_sum_.finish();
  RR_TRY(const std::vector<Sums> of_ranks,
         exchange_values(ranks_, status.ok() ? Result<Sums>(own) : Result<Sums>(status.error())));
  for (const Sums& of_rank : of_ranks) sums.add(of_rank);
  if (ranks_.size() > 1) sums.wait_s += seconds_since(end_of_own);
  RR_TRY_STATUS(check_agreement(sums));
  const double norm = optimiser_.gradient_norm(pool_);
  RR_TRY_STATUS(
      internal::check_gradient(model_.learner.parameters(), norm, state_.step + 1, topics));
  optimiser_.step(options_.schedule.rate_at(state_.step + 1), clip_factor(norm, options_.clip),
                  pool_);
  model_.learner.update();
  sums.grad_norm += norm;
  ++sums.num_updates;
  return ok_status();
}

// This rank's share of an update.
Status GrpoTrainer::learn_rows(std::span<const RolloutGroup> groups, bool is_first, Sums& sums) {
  std::size_t num_rollouts = 0;
  std::size_t num_tokens = 0;
  for (const RolloutGroup& group : groups) {
    num_rollouts += group.rollouts.size();
    for (const Rollout& rollout : group.rollouts) num_tokens += rollout.ids.size();
  }
  const std::vector<Row> rows = rows_of(own_share(groups));
  for (const Row& row : rows) {
    const bool is_last = &row == &rows.back();
    RR_TRY_STATUS(learn_row(row, num_rollouts, num_tokens, is_first,
                            is_last ? gradient_sum_.listener() : GradientListener(), sums));
  }
  return ok_status();
}

// Of the groups that teach anything.
std::vector<const RolloutGroup*> GrpoTrainer::own_share(
    std::span<const RolloutGroup> groups) const {
  std::vector<const RolloutGroup*> all;
  std::vector<std::size_t> costs;
  for (const RolloutGroup& group : groups) {
    if (!group.teaches() && options_.loss.kl_coefficient == 0) continue;
    std::size_t tokens = train_.tasks[group.task].prompt.size();
    for (const Rollout& rollout : group.rollouts) tokens += rollout.ids.size();
    all.push_back(&group);
    costs.push_back(tokens);
  }
  std::vector<const RolloutGroup*> own;
  for (const std::size_t i : share_of(ranks_, costs)) own.push_back(all[i]);
  return own;
}

// First fit in the groups' order; a group with more tokens than a row takes has its prompt in
// several.
std::vector<GrpoTrainer::Row> GrpoTrainer::rows_of(
    std::span<const RolloutGroup* const> groups) const {
  std::vector<Row> rows;
  for (const RolloutGroup* const group : groups) {
    const std::size_t prompt = train_.tasks[group->task].prompt.size();
    bool is_begun = false;
    for (const Rollout& rollout : group->rollouts) {
      std::size_t needed = rollout.ids.size() + (is_begun ? 0 : prompt);
      if (rows.empty() ||
          (rows.back().tokens > 0 && rows.back().tokens + needed > options_.row_tokens)) {
        rows.emplace_back();
        needed = rollout.ids.size() + prompt;
        is_begun = false;
      }
      Row& row = rows.back();
      if (!is_begun) row.parts.push_back({group, {}});
      is_begun = true;
      row.parts.back().rollouts.push_back(&rollout);
      row.tokens += needed;
    }
  }
  return rows;
}

Status GrpoTrainer::learn_row(const Row& row, std::size_t num_rollouts, std::size_t num_tokens,
                              bool is_first, const GradientListener& on_complete, Sums& sums) {
  struct Token {
    double old_logprob;
    double advantage;
    double weight;
    const RolloutGroup* group;
  };
  LearnerBatch batch;
  std::vector<Token> tokens;
  for (const Row::Part& part : row.parts) {
    const std::size_t prompt = batch.segments.size();
    batch.segments.push_back({train_.tasks[part.group->task].prompt});
    for (const Rollout* const rollout : part.rollouts) {
      const double weight =
          token_weight(options_.mean, num_rollouts, rollout->ids.size(), num_tokens);
      for (std::size_t i = 0; i < rollout->ids.size(); ++i) {
        batch.targets.push_back({batch.segments.size(), i});
        tokens.push_back(
            {static_cast<double>(rollout->logprobs[i]), rollout->advantage, weight, part.group});
      }
      batch.segments.push_back({rollout->ids, prompt});
    }
  }
  const std::vector<float> reference = reference_logprobs(row, batch);
  const std::vector<float> logprobs = model_.learner.learn(
      batch,
      [&](std::size_t t, float logprob) {
        const Token& token = tokens[t];
        const auto now = static_cast<double>(logprob);
        const double from = reference.empty() ? now : static_cast<double>(reference[t]);
        const TokenLoss loss =
            token_loss(now, token.old_logprob, from, token.advantage, options_.loss);
        sums.policy_loss += token.weight * loss.policy;
        sums.kl += token.weight * loss.kl;
        sums.clipped += loss.clipped ? 1 : 0;
        sums.dual_clipped += loss.dual_clipped ? 1 : 0;
        if (is_first) sums.compare(token.old_logprob, now);
        return static_cast<float>(token.weight * loss.slope);
      },
      on_complete);
  sums.tokens += tokens.size();
  sums.learn_tokens += row.tokens;
  const auto bad = internal::first_not_finite(logprobs);
  if (!bad) return ok_status();
  return Error{Errc::kRejected,
               fmt::format("step {}: the log-probability of a reply's token is not finite; a lower "
                           "learning rate or clipping may help",
                           state_.step + 1),
               fmt::format("topic {}", train_.tasks[tokens[*bad].group->task].task.qid.str())};
}

// Of the batch's targets; none where KL does not count.
std::vector<float> GrpoTrainer::reference_logprobs(const Row& row, const LearnerBatch& batch) {
  if (options_.loss.kl_coefficient == 0) return {};
  if (model_.reference == nullptr) return model_.learner.evaluate_frozen(batch);
  std::vector<float> logprobs;
  for (const Row::Part& part : row.parts) {
    std::vector<std::span<const std::int32_t>> replies;
    for (const Rollout* const rollout : part.rollouts) replies.emplace_back(rollout->ids);
    for (const std::vector<float>& reply :
         continuation_logprobs(*model_.reference, train_.tasks[part.group->task].prompt, replies)) {
      logprobs.insert(logprobs.end(), reply.begin(), reply.end());
    }
  }
  return logprobs;
}

Status GrpoTrainer::check_agreement(const Sums& sums) const {
  if (sums.num_updates > 0 || !(sums.mean_apart() > options_.most_disagreement)) {
    return ok_status();
  }
  return Error{
      Errc::kRejected,
      fmt::format("step {}: the log-probabilities of writing and of learning differ by "
                  "{:.2g} a token in the mean, {:.2g} at most; expected no more than "
                  "{:.2g} in the mean (--agreement)",
                  state_.step + 1, sums.mean_apart(), sums.worst_apart, options_.most_disagreement),
      ""};
}

Result<std::optional<RankingQuality>> GrpoTrainer::validate(const RunFolder* folder,
                                                            const std::atomic<bool>& stop) {
  RR_CHECK(validation_ != nullptr, "there is no validation set");
  const std::unique_ptr<Generator> generator = model_.make_generator();
  const auto keep = [&](Json sample) -> Status {
    if (folder == nullptr || !ranks_.is_first()) return ok_status();
    sample["step"] = state_.step;
    return folder->append_sample(sample);
  };
  const auto quality =
      measure_quality(*generator, *validation_, options_.reward, options_.rollouts.max_tokens,
                      options_.num_samples, ranks_, keep, stop);
  RR_TRY_STATUS(agree(ranks_, quality));
  return quality;
}

Status GrpoTrainer::save(const RunFolder& folder, GrpoListener& listener) {
  RR_TRY_STATUS(save_from_first(ranks_, folder, model_.learner.parameters(), optimiser_, state_,
                                options_.keep_last));
  listener.on_saved(state_.step);
  return ok_status();
}

Status GrpoTrainer::validate_at_first(const RunFolder& folder, GrpoListener& listener,
                                      const std::atomic<bool>& stop) {
  if (state_.step > 0 || validation_ == nullptr || options_.validate_every == 0) {
    return ok_status();
  }
  RR_TRY(const auto quality, validate(&folder, stop));
  if (!quality) return ok_status();
  listener.on_validation(0, *quality);
  return write_on_first(ranks_, [&] { return folder.append_metrics(to_json(0, *quality)); });
}

// Where one is due. To its end, so that what is best does not depend on when a run was stopped.
// Whether the step is the best so far.
Result<bool> GrpoTrainer::validate_after(const RunFolder& folder, GrpoStep& done,
                                         GrpoListener& listener) {
  const bool is_last = done.step == options_.schedule.num_steps;
  const bool is_due =
      is_last || (options_.validate_every > 0 && done.step % options_.validate_every == 0);
  if (validation_ == nullptr || !is_due) return false;
  const std::atomic<bool> never = false;
  RR_TRY(done.validation, validate(&folder, never));
  listener.on_validation(done.step, *done.validation);
  const double loss = 1 - done.validation->ndcg;  // the lower the better, as losses are
  if (state_.best_validation_loss && loss >= *state_.best_validation_loss) return false;
  state_.best_validation_loss = loss;
  state_.best_step = done.step;
  return true;
}

Status GrpoTrainer::run(const RunFolder& folder, GrpoListener& listener,
                        const std::atomic<bool>& stop) {
  const std::size_t num_steps = options_.schedule.num_steps;
  std::size_t saved = state_.step;
  RR_TRY_STATUS(write_on_first(
      ranks_, [&] { return folder.keep_metrics_before(state_.step == 0 ? 0 : state_.step + 1); }));
  RR_TRY_STATUS(validate_at_first(folder, listener, stop));
  while (state_.step < num_steps) {
    RR_TRY(std::optional<GrpoStep> done, step(listener, stop));
    if (!done) break;
    RR_TRY(const bool is_best, validate_after(folder, *done, listener));
    RR_TRY_STATUS(write_on_first(ranks_, [&] { return folder.append_metrics(to_json(*done)); }));
    listener.on_step(*done, num_steps);
    if (!is_best && done->step < num_steps && done->step % options_.save_every != 0) continue;
    RR_TRY_STATUS(save(folder, listener));
    saved = state_.step;
  }
  if (saved == state_.step) return ok_status();
  return save(folder, listener);
}

Json to_json(std::size_t step, const RankingQuality& quality) {
  Json line = {{"step", step}};
  add_to_metrics(quality, line);
  return line;
}

Json to_json(const GrpoStep& step) {
  const auto rate = [](std::size_t tokens, double seconds) {
    return static_cast<double>(tokens) / std::max(seconds, 1e-9);
  };
  Json line = {{"step", step.step},
               {"reward", step.reward.mean},
               {"reward_std", step.reward.deviation},
               {"ndcg", step.ndcg.mean},
               {"ndcg_std", step.ndcg.deviation},
               {"recall", step.recall.mean},
               {"recall_std", step.recall.deviation},
               {"rbo", step.overlap.mean},
               {"rbo_std", step.overlap.deviation},
               {"format_share", step.right_form},
               {"valid_share", step.right_answer},
               {"teaching_share", step.teaching},
               {"advantage_abs", step.advantage},
               {"completion_tokens_mean", step.tokens.mean},
               {"completion_tokens_std", step.tokens.deviation},
               {"cut_share", step.cut},
               {"groups", step.num_groups},
               {"groups_tried", step.num_tried},
               {"loss", step.policy_loss},
               {"kl", step.kl},
               {"clip_share", step.clipped},
               {"dual_clip_share", step.dual_clipped},
               {"entropy", step.entropy},
               {"agreement_mean", step.disagreement},
               {"agreement_max", step.worst_disagreement},
               {"agreement_kl", step.disagreement_kl},
               {"grad_norm", step.grad_norm},
               {"lr", step.rate},
               {"rollout_tokens", step.rollout_tokens},
               {"learn_tokens", step.learn_tokens},
               {"rollout_tokens_per_s", rate(step.rollout_tokens, step.rollout_s)},
               {"learn_tokens_per_s", rate(step.learn_tokens, step.learn_s)},
               {"rollout_seconds", step.rollout_s},
               {"learn_seconds", step.learn_s},
               {"seconds", step.seconds}};
  if (step.wait_s > 0) line["wait_seconds"] = step.wait_s;
  if (step.validation) add_to_metrics(*step.validation, line);
  if (!step.warnings.empty()) line["warnings"] = step.warnings;
  return line;
}

}  // namespace rr
