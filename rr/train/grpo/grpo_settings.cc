#include "rr/train/grpo/grpo_settings.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "rr/train/internal/refusals.h"
#include "rr/train/internal/settings_json.h"

namespace rr {
namespace {

using internal::wrong;

double learning_rate(const GrpoSettings& settings) {
  if (settings.lr != 0) return settings.lr;
  return settings.lora > 0 ? 1e-5 : 1e-6;
}

}  // namespace

// The one list of the settings' names.
template <typename Settings, typename Visit>
static void for_each_setting(Settings& settings, const Visit& visit) {
  internal::for_each_learning_setting(settings, visit);
  visit("adapter", settings.adapters);
  visit("tasks", settings.tasks);
  visit("validation", settings.validation);
  visit("steps", settings.steps);
  visit("tasks-per-step", settings.tasks_per_step);
  visit("group", settings.group);
  visit("mini-batches", settings.mini_batches);
  visit("epochs", settings.epochs);
  visit("max-tokens", settings.max_tokens);
  visit("max-prompt", settings.max_prompt);
  visit("clip-low", settings.clip_low);
  visit("clip-high", settings.clip_high);
  visit("dual-clip", settings.dual_clip);
  visit("kl", settings.kl);
  visit("reference", settings.reference);
  visit("loss-mean", settings.loss_mean);
  visit("deviation", settings.deviation);
  visit("refills", settings.refills);
  visit("reward", settings.reward);
  visit("agreement", settings.agreement);
}

GrpoSettings::GrpoSettings() {
  schedule = "constant";
  weight_decay = 0.01;
  row_tokens = 8192;
  lora = 32;
  save_every = 25;
  validate_every = 100;
}

Status check_settings(const GrpoSettings& settings, std::size_t context_length) {
  RR_TRY_STATUS(check_learning_settings(settings));
  if (settings.group < 2) {
    return wrong(
        fmt::format("expected groups of at least 2 replies, found {}: a reply is weighed "
                    "against the others of its group",
                    settings.group));
  }
  for (const auto& [name, value] : {std::pair("steps", settings.steps),
                                    {"tasks-per-step", settings.tasks_per_step},
                                    {"mini-batches", settings.mini_batches},
                                    {"epochs", settings.epochs},
                                    {"max-tokens", settings.max_tokens},
                                    {"refills", settings.refills}}) {
    if (value == 0) return wrong(fmt::format("expected {} to be at least 1, found 0", name));
  }
  RR_TRY_STATUS(internal::check_not_negative({{"kl", settings.kl},
                                              {"clip-low", settings.clip_low},
                                              {"clip-high", settings.clip_high},
                                              {"agreement", settings.agreement}}));
  if (settings.dual_clip != 0 && !(settings.dual_clip > 1)) {
    return wrong(fmt::format("expected dual-clip to be above 1, or 0 for none, found {}",
                             settings.dual_clip));
  }
  if (!settings.adapters.empty() &&
      (settings.precision == "int8" || settings.precision == "int4")) {
    return wrong(
        fmt::format("weights in {} would round away most of an adapter that is folded into them; "
                    "take --compute bf16, or `reasonrank export` the adapter with its model and "
                    "give that as --model",
                    settings.precision));
  }
  if (settings.max_tokens >= context_length) {
    return wrong(
        fmt::format("replies of {} tokens leave no room for a prompt in the model's "
                    "context of {}; try fewer --max-tokens",
                    settings.max_tokens, context_length));
  }
  return ok_status();
}

Json to_json(const GrpoSettings& settings) { return internal::settings_to_json(settings); }

Result<GrpoSettings> grpo_settings_from_json(const Json& json, const std::string& where) {
  return internal::settings_from_json<GrpoSettings>(json, where);
}

Result<GrpoOptions> grpo_options(const GrpoSettings& settings) {
  GrpoOptions options;
  options.schedule = schedule_of(settings, learning_rate(settings), settings.steps);
  options.optimiser.weight_decay = settings.weight_decay;
  options.clip = settings.clip;
  options.tasks_per_step = settings.tasks_per_step;
  options.mini_batches = settings.mini_batches;
  options.epochs = settings.epochs;
  options.rollouts = {settings.group, settings.max_tokens, 1, settings.seed};
  RR_TRY(options.reward, reward_options_from_json(settings.reward, "the reward"));
  options.loss = {settings.clip_low, settings.clip_high, settings.dual_clip, settings.kl};
  options.mean = settings.loss_mean == "token" ? LossMean::kToken : LossMean::kSequence;
  options.divides_by_deviation = settings.deviation;
  options.most_refills = settings.refills;
  options.most_disagreement = settings.agreement > 0        ? settings.agreement
                              : settings.precision == "f32" ? 1e-5
                                                            : 1e-3;
  options.row_tokens = settings.row_tokens;
  options.save_every = settings.save_every;
  options.keep_last = settings.keep;
  options.validate_every = settings.validate_every;
  options.num_samples = settings.samples;
  return options;
}

std::size_t prompt_limit(const GrpoSettings& settings, std::size_t context_length) {
  return std::min(settings.max_prompt, context_length - settings.max_tokens);
}

std::size_t longest_row(const GrpoSettings& settings, std::size_t longest_prompt) {
  return std::max(settings.row_tokens, longest_prompt + settings.max_tokens);
}

}  // namespace rr
