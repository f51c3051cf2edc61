#include "rr/train/sft.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "rr/base/check.h"
#include "rr/train/internal/finite.h"

namespace rr {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

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

}  // namespace

SftTrainer::SftTrainer(Learner& learner, const SftData& train, const SftData* validation,
                       const SftOptions& options, ThreadPool& pool)
    : learner_(learner),
      train_(train),
      validation_(validation),
      options_(options),
      pool_(pool),
      order_(train, options.order),
      optimiser_(learner.parameters(), options.optimiser) {}

Status SftTrainer::restore(const RunFolder& folder, std::vector<std::string>& damaged) {
  RR_TRY(state_, folder.restore(learner_.parameters(), optimiser_, damaged));
  if (state_.step > 0) learner_.update();
  return ok_status();
}

std::string SftTrainer::place_of(const SftData& data, std::size_t example) const {
  return fmt::format("example of line {}", data.examples[example].line);
}

Status SftTrainer::learn_row(std::span<const std::size_t> row, std::size_t num_targets,
                             double& loss) {
  const LearnerBatch batch = batch_of(train_, row);
  const float slope = -1.0f / static_cast<float>(num_targets);
  const std::vector<float> logprobs =
      learner_.learn(batch, [slope](std::size_t, float) { return slope; });
  if (const auto bad = internal::first_not_finite(logprobs)) {
    const LearnerTarget& target = batch.targets[*bad];
    return Error{Errc::kRejected,
                 fmt::format("step {}: the log-probability of token {} is not finite; a lower "
                             "learning rate or clipping may help",
                             state_.step + 1, target.token),
                 place_of(train_, row[target.segment])};
  }
  for (const float logprob : logprobs) loss -= logprob;
  return ok_status();
}

Result<std::optional<SftStep>> SftTrainer::step(const std::atomic<bool>& stop) {
  const Clock::time_point start = Clock::now();
  SftStep report;
  report.step = state_.step + 1;
  const auto rows = order_.rows_of(report.step);
  std::string lines;
  for (const auto& row : rows) {
    for (const std::size_t example : row) {
      report.tokens += train_.examples[example].ids.size();
      report.completion_tokens += train_.examples[example].completion_tokens();
      lines += fmt::format("{}{}", lines.empty() ? "examples of lines " : ", ",
                           train_.examples[example].line);
    }
  }
  learner_.clear_gradients();
  double loss = 0;
  for (const auto& row : rows) {
    if (stop) return std::optional<SftStep>();
    RR_TRY_STATUS(learn_row(row, report.completion_tokens, loss));
  }
  report.loss = loss / static_cast<double>(report.completion_tokens);
  report.grad_norm = optimiser_.gradient_norm(pool_);
  RR_TRY_STATUS(
      internal::check_gradient(learner_.parameters(), report.grad_norm, report.step, lines));
  report.rate = options_.schedule.rate_at(report.step);
  optimiser_.step(report.rate, clip_factor(report.grad_norm, options_.clip), pool_);
  learner_.update();
  state_.step = report.step;
  report.seconds = seconds_since(start);
  return std::optional(report);
}

Result<double> SftTrainer::validate() {
  RR_CHECK(validation_ != nullptr, "there is no validation set");
  double loss = 0;
  std::size_t count = 0;
  for (std::size_t example = 0; example < validation_->examples.size(); ++example) {
    const std::vector<float> logprobs = learner_.evaluate(batch_of(*validation_, {{example}}));
    if (internal::first_not_finite(logprobs)) {
      return Error{Errc::kRejected,
                   fmt::format("after step {}: a log-probability is not finite", state_.step),
                   "validation " + place_of(*validation_, example)};
    }
    for (const float logprob : logprobs) loss -= logprob;
    count += logprobs.size();
  }
  return loss / static_cast<double>(count);
}

Status SftTrainer::save(const RunFolder& folder, SftListener& listener) {
  RR_TRY_STATUS(folder.save(learner_.parameters(), optimiser_, state_, options_.keep_last));
  listener.on_saved(state_.step);
  return ok_status();
}

Status SftTrainer::run(const RunFolder& folder, SftListener& listener,
                       const std::atomic<bool>& stop) {
  const std::size_t num_steps = options_.schedule.num_steps;
  std::size_t saved = state_.step;
  RR_TRY_STATUS(folder.keep_metrics_before(state_.step + 1));
  while (state_.step < num_steps && !stop) {
    RR_TRY(std::optional<SftStep> done, step(stop));
    if (!done) break;
    const bool is_last = done->step == num_steps;
    const bool validates =
        validation_ != nullptr &&
        (is_last || (options_.validate_every > 0 && done->step % options_.validate_every == 0));
    bool is_best = false;
    if (validates) {
      RR_TRY(done->validation_loss, validate());
      is_best =
          !state_.best_validation_loss || *done->validation_loss < *state_.best_validation_loss;
      if (is_best) {
        state_.best_validation_loss = done->validation_loss;
        state_.best_step = done->step;
      }
    }
    RR_TRY_STATUS(folder.append_metrics(to_json(*done)));
    listener.on_step(*done, num_steps);
    if (is_best || is_last || done->step % options_.save_every == 0) {
      RR_TRY_STATUS(save(folder, listener));
      saved = state_.step;
    }
  }
  if (saved == state_.step) return ok_status();
  return save(folder, listener);
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
  if (step.validation_loss) line["validation_loss"] = *step.validation_loss;
  return line;
}

}  // namespace rr
