#include "rr/train/sft_settings.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "rr/train/internal/refusals.h"
#include "rr/train/internal/settings_json.h"

namespace rr {
namespace {

constexpr std::size_t kPublishedCutoff = 23552;

using internal::wrong;

double learning_rate(const SftSettings& settings) {
  if (settings.lr != 0) return settings.lr;
  return settings.lora > 0 ? 1e-4 : 5e-6;
}

RerankMethod method_named(const std::string& name) {
  return name == "first" ? RerankMethod::kFirst : RerankMethod::kPointwise;
}

std::size_t examples_per_step(const SftSettings& settings) {
  return settings.batch_size * settings.accumulate;
}

// Epochs are of the examples, without any of the tasks.
std::size_t num_steps(const SftSettings& settings, const SftData* data, const RankingTasks* tasks) {
  if (settings.steps > 0) return settings.steps;
  const std::size_t size = data != nullptr ? data->examples.size() : tasks->size();
  const std::size_t per_step =
      data != nullptr ? examples_per_step(settings) : settings.tasks_per_step;
  const double steps =
      std::ceil(settings.epochs * static_cast<double>(size) / static_cast<double>(per_step));
  return std::max<std::size_t>(1, static_cast<std::size_t>(steps));
}

double in_gib(std::size_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024 * 1024); }

}  // namespace

// The one list of the settings' names.
template <typename Settings, typename Visit>
static void for_each_setting(Settings& settings, const Visit& visit) {
  internal::for_each_learning_setting(settings, visit);
  visit("data", settings.data);
  visit("validation", settings.validation);
  visit("tasks", settings.tasks);
  visit("validation-tasks", settings.validation_tasks);
  visit("steps", settings.steps);
  visit("epochs", settings.epochs);
  visit("batch-size", settings.batch_size);
  visit("accumulate", settings.accumulate);
  visit("max-length", settings.max_length);
  visit("long", settings.long_examples);
  visit("shuffle", settings.shuffle);
  visit("group-by-length", settings.group_by_length);
  visit("method", settings.method);
  visit("ranking-loss", settings.ranking_loss);
  visit("ranking-target", settings.ranking_target);
  visit("ranking-weight", settings.ranking_weight);
  visit("tasks-per-step", settings.tasks_per_step);
  visit("validation-method", settings.validation_method);
  visit("max-tokens", settings.max_tokens);
}

Status check_settings(const SftSettings& settings, std::size_t context_length) {
  RR_TRY_STATUS(check_learning_settings(settings));
  if (!std::isfinite(settings.epochs) || settings.epochs <= 0) {
    return wrong(fmt::format("expected more than 0 epochs, found {}", settings.epochs));
  }
  if (settings.batch_size == 0 || settings.accumulate == 0) {
    return wrong("expected a batch of at least one example");
  }
  if (settings.tasks_per_step == 0) return wrong("expected at least one task a step, found 0");
  RR_TRY_STATUS(internal::check_not_negative({{"ranking-weight", settings.ranking_weight}}));
  if (settings.max_tokens == 0) return wrong("expected max-tokens to be at least 1, found 0");
  if (settings.validates_answers() && settings.max_tokens >= context_length) {
    return wrong(
        fmt::format("answers of {} tokens leave no room for a prompt in the model's context of {}; "
                    "try fewer --max-tokens",
                    settings.max_tokens, context_length));
  }
  if (settings.max_length > context_length) {
    return wrong(fmt::format("examples of {} tokens do not fit into the model's context of {}",
                             settings.max_length, context_length));
  }
  return ok_status();
}

Json to_json(const SftSettings& settings) { return internal::settings_to_json(settings); }

Result<SftSettings> sft_settings_from_json(const Json& json, const std::string& where) {
  return internal::settings_from_json<SftSettings>(json, where);
}

bool SftSettings::validates_answers() const {
  if (validation_tasks.empty()) return false;
  return validation_method.empty() ? tasks.empty() : validation_method == "listwise";
}

RankingTaskOptions task_options(const SftSettings& settings, std::size_t context_length) {
  RankingTaskOptions options;
  options.method = method_named(settings.method);
  options.target =
      settings.ranking_target == "order" ? RankingTarget::kOrder : RankingTarget::kGrades;
  options.passage_tokens = settings.passage_tokens;
  options.max_prompt_tokens = data_options(settings, context_length).max_length;
  return options;
}

RankingTaskOptions validation_task_options(const SftSettings& settings,
                                           std::size_t context_length) {
  RankingTaskOptions options = task_options(settings, context_length);
  if (!settings.validation_method.empty()) {
    options.method = method_named(settings.validation_method);
  }
  return options;
}

SftDataOptions data_options(const SftSettings& settings, std::size_t context_length) {
  SftDataOptions options;
  options.max_length =
      settings.max_length > 0 ? settings.max_length : std::min(context_length, kPublishedCutoff);
  options.long_examples =
      settings.long_examples == "cut" ? LongExamples::kCut : LongExamples::kDrop;
  return options;
}

SftOptions sft_options(const SftSettings& settings, const SftData* data,
                       const RankingTasks* tasks) {
  SftOptions options;
  const std::size_t steps = num_steps(settings, data, tasks);
  options.ranking = {find_ranking_loss(settings.ranking_loss).value_or(RankingLossKind::kSoftmax),
                     settings.ranking_weight, settings.tasks_per_step};
  options.schedule = schedule_of(settings, learning_rate(settings), steps);
  options.optimiser.weight_decay = settings.weight_decay;
  options.clip = settings.clip;
  options.order = {examples_per_step(settings), settings.row_tokens, settings.shuffle,
                   settings.group_by_length, settings.seed};
  options.save_every = settings.save_every;
  options.keep_last = settings.keep;
  options.validate_every = settings.validate_every;
  return options;
}

namespace {

std::size_t longest_row_of(const SftSettings& settings, const SftData& data) {
  std::size_t longest = 0;
  for (const TokenizedExample& example : data.examples)
    longest = std::max(longest, example.ids.size());
  const std::size_t a_step = std::min(data.num_tokens(), examples_per_step(settings) * longest);
  return std::max(longest, std::min(settings.row_tokens, a_step));
}

}  // namespace

std::size_t longest_row(const SftSettings& settings, const SftSources& sources) {
  std::size_t longest = 0;
  for (const SftData* data : {sources.examples, sources.validation}) {
    if (data != nullptr) longest = std::max(longest, longest_row_of(settings, *data));
  }
  for (const RankingTasks* tasks : {sources.tasks, sources.validation_tasks}) {
    if (tasks != nullptr) longest = std::max(longest, tasks->longest_example());
  }
  return longest;
}

Result<TrainingMemory> plan_training_memory(const DecoderConfig& config, std::size_t row_tokens,
                                            std::size_t limit, LearnerOptions& options) {
  TrainingMemory memory;
  options.activation_bytes = 0;
  memory.learner = plan_learner_memory(config, options, row_tokens);
  memory.optimiser_bytes = memory.learner.parameter_bytes;  // two moments: values and gradients
  if (memory.total() > limit) {
    return Error{
        Errc::kUnavailable,
        fmt::format("training needs at least {:.2f} GiB ({:.2f} weights for products, {:.2f} what "
                    "learns and its gradients, {:.2f} optimiser, {:.2f} activations of {} tokens), "
                    "and may take {:.2f}; shorter examples, --lora, with it --compute int4, or a "
                    "smaller model need less",
                    in_gib(memory.total()), in_gib(memory.learner.weight_bytes),
                    in_gib(memory.learner.parameter_bytes), in_gib(memory.optimiser_bytes),
                    in_gib(memory.learner.activation_bytes), row_tokens, in_gib(limit)),
        ""};
  }
  const LearnerMemory least = memory.learner;
  // One layer's activations are in `least` already; that many bytes more keep that many more.
  options.activation_bytes = limit - memory.total();
  memory.learner = plan_learner_memory(config, options, row_tokens);
  if (memory.learner.kept_layers == 0) memory.learner = least;
  return memory;
}

}  // namespace rr
