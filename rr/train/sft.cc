#include "rr/train/sft.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/clock.h"
#include "rr/train/internal/finite.h"
#include "rr/train/ranked_run.h"
#include "rr/train/work_share.h"

namespace rr {
namespace {

// Examples side by side, their completions as targets.
LearnerBatch batch_of(const SftData& data, std::span<const std::size_t> examples) {
  LearnerBatch batch;
  for (const std::size_t index : examples) {
    const TokenizedExample& example = data.examples[index];
    for (std::size_t i = example.prompt_tokens; i < example.ids.size(); ++i) {
      batch.targets.push_back({batch.segments.size(), i});
    }
    batch.segments.push_back({example.ids});
  }
  return batch;
}

Error not_finite(std::size_t step, const std::string& what, std::string where) {
  return {Errc::kRejected,
          fmt::format("step {}: the log-probability of {} is not finite; a lower learning rate or "
                      "clipping may help",
                      step, what),
          std::move(where)};
}

}  // namespace

// What one rank does in a step.
struct SftTrainer::Work {
  struct Task {
    std::size_t task;
    RankingExample example;
  };
  std::vector<std::vector<std::size_t>> rows;  // of examples
  std::vector<Task> tasks;
};

// What one rank came to; plain, for exchange_values().
struct SftTrainer::Sums {
  double loss = 0;        // of examples
  std::size_t count = 0;  // targets
  double ranking_loss = 0;
  bool was_stopped = false;
};

SftTrainer::SftTrainer(Learner& learner, const SftSources& sources, const SftOptions& options,
                       ThreadPool& pool, Ranks& ranks)
    : learner_(learner),
      sources_(sources),
      options_(options),
      pool_(pool),
      ranks_(ranks),
      gradient_sum_(learner.parameters(), ranks, options.bucket_bytes),
      optimiser_(learner.parameters(), options.optimiser) {
  RR_CHECK(sources.examples != nullptr || sources.tasks != nullptr, "something to learn");
  if (sources.examples != nullptr) order_.emplace(*sources.examples, options.order);
  if (sources.tasks != nullptr) {
    task_order_.emplace("ranking", sources.tasks->size(), options.order.shuffles,
                        options.order.seed);
  }
}

Status SftTrainer::restore(const RunFolder& folder, std::vector<std::string>& damaged) {
  RR_TRY(state_, restore_on_all(ranks_, folder, learner_.parameters(), optimiser_, damaged));
  if (state_.step > 0) learner_.update();
  return ok_status();
}

std::string SftTrainer::place_of(const SftData& data, std::size_t example) const {
  return fmt::format("example of line {}", data.examples[example].line);
}

Status SftTrainer::learn_row(std::span<const std::size_t> row, std::size_t num_targets,
                             const GradientListener& on_complete, Sums& sums) {
  const LearnerBatch batch = batch_of(*sources_.examples, row);
  const float slope = -1.0f / static_cast<float>(num_targets);
  const std::vector<float> logprobs = learner_.learn(
      batch, [slope](std::size_t, float) { return slope; }, on_complete);
  if (const auto bad = internal::first_not_finite(logprobs)) {
    const LearnerTarget& target = batch.targets[*bad];
    return not_finite(state_.step + 1, fmt::format("token {}", target.token),
                      place_of(*sources_.examples, row[target.segment]));
  }
  for (const float logprob : logprobs) sums.loss -= logprob;
  return ok_status();
}

Status SftTrainer::learn_task(std::size_t task, const RankingExample& example,
                              const GradientListener& on_complete, Sums& sums) {
  const RankingTasks& tasks = *sources_.tasks;
  const std::span<const double> gains = tasks.gains(task);
  const RankingObjective& objective = options_.ranking;
  const double share = objective.weight / static_cast<double>(objective.tasks_per_step);
  RankingLoss loss;
  const std::vector<float> logprobs = learner_.learn_jointly(
      example.batch(),
      [&](std::span<const float> found) {
        loss = ranking_loss(objective.loss, example.scores(found, gains.size()), gains);
        for (double& slope : loss.slopes) slope *= share;
        return example.slopes(loss.slopes);
      },
      on_complete);
  if (internal::first_not_finite(logprobs) || !std::isfinite(loss.loss)) {
    return not_finite(state_.step + 1, "a label", "topic " + tasks.task(task).qid.str());
  }
  sums.ranking_loss += loss.loss;
  return ok_status();
}

std::vector<EpochOrder::Place> SftTrainer::tasks_of(std::size_t step) const {
  const std::size_t count = options_.ranking.tasks_per_step;
  return task_order_->take((step - 1) * count, count);
}

// This rank's share of a step; the report gets the tokens of all.
Result<SftTrainer::Work> SftTrainer::work_of(std::size_t step, SftStep& report) const {
  std::vector<std::size_t> examples;
  if (order_) examples = order_->examples_of(step);
  std::vector<std::size_t> costs;
  for (const std::size_t index : examples) {
    const TokenizedExample& example = sources_.examples->examples[index];
    costs.push_back(example.ids.size());
    report.completion_tokens += example.completion_tokens();
  }
  std::vector<Work::Task> tasks;
  if (task_order_) {
    for (const EpochOrder::Place& place : tasks_of(step)) {
      const bool shuffles = options_.order.shuffles;
      const std::uint64_t seed = shuffles ? options_.order.seed + place.epoch + 1 : 0;
      RR_TRY(RankingExample example, sources_.tasks->example(place.thing, seed));
      costs.push_back(example.num_tokens());
      tasks.push_back({place.thing, std::move(example)});
    }
  }
  report.tokens = std::accumulate(costs.begin(), costs.end(), std::size_t{0});
  std::vector<std::size_t> own_examples;
  Work own;
  for (const std::size_t piece : share_of(ranks_, costs)) {
    if (piece < examples.size()) {
      own_examples.push_back(examples[piece]);
    } else {
      own.tasks.push_back(std::move(tasks[piece - examples.size()]));
    }
  }
  if (order_) own.rows = order_->rows_of(own_examples);
  return own;
}

// This rank's share, as far as `stop` lets it come.
Result<SftTrainer::Sums> SftTrainer::learn(SftStep& report, const std::atomic<bool>& stop) {
  RR_TRY(const Work work, work_of(report.step, report));
  Sums sums;
  std::size_t left = work.rows.size() + work.tasks.size();
  const auto listener = [&] { return --left == 0 ? gradient_sum_.listener() : GradientListener(); };
  for (const auto& row : work.rows) {
    if (stop) break;
    RR_TRY_STATUS(learn_row(row, report.completion_tokens, listener(), sums));
  }
  for (const Work::Task& task : work.tasks) {
    if (stop) break;
    RR_TRY_STATUS(learn_task(task.task, task.example, listener(), sums));
  }
  sums.was_stopped = stop;
  return sums;
}

// What a step learns, for messages.
std::string SftTrainer::contents_of(std::size_t step) const {
  std::string text;
  if (order_) {
    for (const std::size_t example : order_->examples_of(step)) {
      text += fmt::format("{}{}", text.empty() ? "examples of lines " : ", ",
                          sources_.examples->examples[example].line);
    }
  }
  if (task_order_) {
    const char* separator = text.empty() ? "topics " : "; topics ";
    for (const EpochOrder::Place& place : tasks_of(step)) {
      text += std::exchange(separator, ", ") + sources_.tasks->task(place.thing).qid.str();
    }
  }
  return text;
}

Result<std::optional<SftStep>> SftTrainer::step(const std::atomic<bool>& stop) {
  const Clock::time_point start = Clock::now();
  SftStep report;
  report.step = state_.step + 1;
  learner_.clear_gradients();
  const Result<Sums> own = learn(report, stop);
  const Clock::time_point end_of_own = Clock::now();
  gradient_sum_.finish();
  RR_TRY(const std::vector<Sums> sums, exchange_values(ranks_, own));
  if (ranks_.size() > 1) report.wait_s = seconds_since(end_of_own);
  if (std::any_of(sums.begin(), sums.end(), [](const Sums& s) { return s.was_stopped; })) {
    return std::optional<SftStep>();
  }
  add_losses(sums, report);
  report.grad_norm = optimiser_.gradient_norm(pool_);
  RR_TRY_STATUS(internal::check_gradient(learner_.parameters(), report.grad_norm, report.step,
                                         contents_of(report.step)));
  report.rate = options_.schedule.rate_at(report.step);
  optimiser_.step(report.rate, clip_factor(report.grad_norm, options_.clip), pool_);
  learner_.update();
  state_.step = report.step;
  report.seconds = seconds_since(start);
  return std::optional(report);
}

void SftTrainer::add_losses(std::span<const Sums> sums, SftStep& report) const {
  double loss = 0;
  double ranking_loss = 0;
  for (const Sums& rank : sums) {
    loss += rank.loss;
    ranking_loss += rank.ranking_loss;
  }
  if (order_) report.loss += loss / static_cast<double>(report.completion_tokens);
  if (!task_order_) return;
  report.ranking_loss = ranking_loss / static_cast<double>(options_.ranking.tasks_per_step);
  report.loss += options_.ranking.weight * *report.ranking_loss;
}

Result<double> SftTrainer::held_out_loss() {
  RR_TRY(const std::vector<Sums> sums, exchange_values(ranks_, held_out_share()));
  double loss = 0;
  std::size_t count = 0;
  for (const Sums& rank : sums) {
    loss += rank.loss;
    count += rank.count;
  }
  return loss / static_cast<double>(count);
}

Result<SftTrainer::Sums> SftTrainer::held_out_share() {
  const SftData& data = *sources_.validation;
  std::vector<std::size_t> costs;
  for (const TokenizedExample& example : data.examples) costs.push_back(example.ids.size());
  Sums sums;
  for (const std::size_t example : share_of(ranks_, costs)) {
    const std::vector<float> logprobs = learner_.evaluate(batch_of(data, {{example}}));
    if (internal::first_not_finite(logprobs)) {
      return Error{Errc::kRejected,
                   fmt::format("after step {}: a log-probability is not finite", state_.step),
                   "validation " + place_of(data, example)};
    }
    for (const float logprob : logprobs) sums.loss -= logprob;
    sums.count += logprobs.size();
  }
  return sums;
}

Result<std::optional<RankingQuality>> SftTrainer::look_at_answers(const RunFolder* folder,
                                                                  const std::atomic<bool>& stop) {
  const AnsweredTasks& answered = *sources_.answered_tasks;
  answered.decoder->adopt(learner_.parameters());
  const std::unique_ptr<Generator> generator = answered.make_generator();
  const auto keep = [&](Json sample) -> Status {
    if (folder == nullptr || !ranks_.is_first()) return ok_status();
    sample["step"] = state_.step;
    return folder->append_sample(sample);
  };
  const auto quality =
      measure_quality(*generator, answered.tasks, answered.reward, answered.max_tokens,
                      answered.num_samples, ranks_, keep, stop);
  RR_TRY_STATUS(agree(ranks_, quality));
  return quality;
}

Result<SftValidation> SftTrainer::validate(const RunFolder* folder, const std::atomic<bool>& stop) {
  SftValidation found;
  if (sources_.validation != nullptr) {
    RR_TRY(found.loss, held_out_loss());
  }
  if (sources_.validation_tasks != nullptr) {
    RR_TRY(const RankingAccuracy accuracy,
           measure_accuracy(learner_, *sources_.validation_tasks, ranks_));
    found.ndcg = accuracy.ndcg;
  }
  if (sources_.answered_tasks != nullptr) {
    RR_TRY(found.answers, look_at_answers(folder, stop));
    if (!found.answers) return SftValidation();
  }
  return found;
}

Status SftTrainer::validate_at_first(const RunFolder& folder, SftListener& listener,
                                     const std::atomic<bool>& stop) {
  if (state_.step > 0 || options_.validate_every == 0) return ok_status();
  RR_TRY(const SftValidation found, validate(&folder, stop));
  if (found.is_empty()) return ok_status();
  listener.on_validation(0, found);
  return write_on_first(ranks_, [&] { return folder.append_metrics(to_json(0, found)); });
}

// Where a look is due. To its end, so that what is best does not depend on when a run was stopped.
// Whether the step is the best so far.
Result<bool> SftTrainer::validate_after(const RunFolder& folder, SftStep& done,
                                        SftListener& listener) {
  const bool is_due = done.step == options_.schedule.num_steps ||
                      (options_.validate_every > 0 && done.step % options_.validate_every == 0);
  if (!is_due) return false;
  const std::atomic<bool> never = false;
  RR_TRY(done.validation, validate(&folder, never));
  if (done.validation.is_empty()) return false;
  listener.on_validation(done.step, done.validation);
  const double badness = done.validation.badness();
  if (state_.best_validation_loss && badness >= *state_.best_validation_loss) return false;
  state_.best_validation_loss = badness;
  state_.best_step = done.step;
  return true;
}

Status SftTrainer::save(const RunFolder& folder, SftListener& listener) {
  RR_TRY_STATUS(save_from_first(ranks_, folder, learner_.parameters(), optimiser_, state_,
                                options_.keep_last));
  listener.on_saved(state_.step);
  return ok_status();
}

Status SftTrainer::run(const RunFolder& folder, SftListener& listener,
                       const std::atomic<bool>& stop) {
  const std::size_t num_steps = options_.schedule.num_steps;
  std::size_t saved = state_.step;
  RR_TRY_STATUS(write_on_first(
      ranks_, [&] { return folder.keep_metrics_before(state_.step == 0 ? 0 : state_.step + 1); }));
  RR_TRY_STATUS(validate_at_first(folder, listener, stop));
  while (state_.step < num_steps) {
    RR_TRY(std::optional<SftStep> done, step(stop));
    if (!done) break;
    RR_TRY(const bool is_best, validate_after(folder, *done, listener));
    RR_TRY_STATUS(write_on_first(ranks_, [&] { return folder.append_metrics(to_json(*done)); }));
    listener.on_step(*done, num_steps);
    if (is_best || done->step == num_steps || done->step % options_.save_every == 0) {
      RR_TRY_STATUS(save(folder, listener));
      saved = state_.step;
    }
  }
  if (saved == state_.step) return ok_status();
  return save(folder, listener);
}

double SftValidation::badness() const {
  if (loss) return *loss;
  return 1 - (ndcg ? *ndcg : answers->ndcg);
}

namespace {

void add_to_metrics(const SftValidation& found, Json& line) {
  if (found.loss) line["validation_loss"] = *found.loss;
  if (found.ndcg) line["validation_ndcg"] = *found.ndcg;
  if (found.answers) add_to_metrics(*found.answers, line);
}

}  // namespace

Json to_json(std::size_t step, const SftValidation& found) {
  Json line = {{"step", step}};
  add_to_metrics(found, line);
  return line;
}

Json to_json(const SftStep& step) {
  Json line = {{"step", step.step},
               {"loss", step.loss},
               {"grad_norm", step.grad_norm},
               {"lr", step.rate},
               {"tokens", step.tokens},
               {"completion_tokens", step.completion_tokens},
               {"seconds", step.seconds},
               {"tokens_per_s", static_cast<double>(step.tokens) / std::max(step.seconds, 1e-9)}};
  if (step.wait_s > 0) line["wait_seconds"] = step.wait_s;
  if (step.ranking_loss) line["ranking_loss"] = *step.ranking_loss;
  add_to_metrics(step.validation, line);
  return line;
}

}  // namespace rr
