#include "rr/train/learning_settings.h"

#include <fmt/core.h>

#include <cmath>

#include <cmath>

#include "rr/train/internal/refusals.h"

namespace rr {
namespace {

using internal::wrong;

Precision precision_named(const std::string& name) {
  if (name == "f32") return Precision::kF32;
  if (name == "int8") return Precision::kInt8;
  return name == "int4" ? Precision::kInt4 : Precision::kBf16;
}

Status check_adapters(const LearningSettings& settings) {
  if (settings.lora > 0) return ok_status();
  if (settings.lora_alpha > 0) {
    return wrong("lora-alpha scales adapters, and there are none without --lora RANK");
  }
  if (settings.precision == "int8" || settings.precision == "int4") {
    return wrong(
        fmt::format("weights in {} stay as they are and only adapters learn beside them; "
                    "add --lora RANK, or take --compute bf16 for all weights to learn",
                    settings.precision));
  }
  return ok_status();
}

}  // namespace

Status check_learning_settings(const LearningSettings& settings) {
  if (!std::isfinite(settings.lr) || settings.lr < 0) {
    return wrong(fmt::format("expected a learning rate above 0, found {}", settings.lr));
  }
  RR_TRY_STATUS(internal::check_not_negative({{"warmup", settings.warmup},
                                              {"weight-decay", settings.weight_decay},
                                              {"clip", settings.clip},
                                              {"lora-alpha", settings.lora_alpha}}));
  if (settings.passage_tokens == 0) return wrong("expected passages of at least one token");
  if (settings.save_every == 0) return wrong("expected to save every so many steps, found 0");
  return check_adapters(settings);
}

LearnerOptions learner_options(const LearningSettings& settings) {
  LearnerOptions options;
  options.precision = precision_named(settings.precision);
  options.seed = settings.seed;
  options.lora = lora_shape(settings.lora, settings.lora_alpha);
  return options;
}

Schedule schedule_of(const LearningSettings& settings, double peak, std::size_t num_steps) {
  const double warmup =
      settings.warmup < 1 ? settings.warmup * static_cast<double>(num_steps) : settings.warmup;
  return {decay_named(settings.schedule), peak, static_cast<std::size_t>(std::ceil(warmup)),
          num_steps};
}

std::optional<LoraShape> lora_shape(std::size_t rank, double alpha) {
  if (rank == 0) return std::nullopt;
  return LoraShape{rank, static_cast<float>(alpha > 0 ? alpha : static_cast<double>(rank))};
}

}  // namespace rr
