#include "rr/train/sft_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace rr {
namespace {

using ::testing::HasSubstr;

std::string refusal(void (*change)(SftSettings&)) {
  SftSettings settings;
  change(settings);
  const Status status = check_settings(settings, 2048);
  return status.ok() ? "" : status.error().to_string();
}

TEST(SftSettings, RefuseWhatCannotBeMeant) {
  EXPECT_TRUE(check_settings({}, 2048).ok());
  EXPECT_THAT(refusal([](SftSettings& s) { s.lr = NAN; }), HasSubstr("learning rate above 0"));
  EXPECT_THAT(refusal([](SftSettings& s) { s.lr = -1; }), HasSubstr("found -1"));
  EXPECT_THAT(refusal([](SftSettings& s) { s.epochs = 0; }), HasSubstr("epochs"));
  EXPECT_THAT(refusal([](SftSettings& s) { s.batch_size = 0; }), HasSubstr("batch"));
  EXPECT_THAT(refusal([](SftSettings& s) { s.clip = INFINITY; }), HasSubstr("clip"));
  EXPECT_THAT(refusal([](SftSettings& s) { s.lora_alpha = 8; }), HasSubstr("--lora"));
  EXPECT_THAT(refusal([](SftSettings& s) { s.max_length = 4096; }), HasSubstr("context of 2048"));
}

TEST(SftSettings, SurviveRunJson) {
  SftSettings settings;
  settings.model = "m.gguf";
  settings.lr = 3e-5;
  settings.shuffle = false;
  settings.lora = 8;
  const auto read = sft_settings_from_json(to_json(settings), "run.json");
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(to_json(read.value()), to_json(settings));
  EXPECT_THAT(sft_settings_from_json({{"model", "m"}}, "run.json").error().to_string(),
              HasSubstr("run.json: expected the settings of a run of this version"));
}

TEST(SftSettings, CountStepsByEpochsAndWarmUpByShare) {
  SftData data;
  data.examples.resize(10, {TokenIds(7, 1), 1, 1});
  SftSettings settings;
  settings.epochs = 3;
  settings.batch_size = 2;
  settings.accumulate = 2;
  const SftOptions options = sft_options(settings, &data, nullptr);
  EXPECT_EQ(options.schedule.num_steps, 8u);  // 30 examples by 4
  EXPECT_EQ(options.schedule.warmup_steps, 1u);
  EXPECT_EQ(options.schedule.peak, 5e-6);
  settings.steps = 20;
  settings.warmup = 3;
  settings.lora = 4;
  EXPECT_EQ(sft_options(settings, &data, nullptr).schedule.num_steps, 20u);
  EXPECT_EQ(sft_options(settings, &data, nullptr).schedule.warmup_steps, 3u);
  EXPECT_EQ(sft_options(settings, &data, nullptr).schedule.peak, 1e-4);
  EXPECT_EQ(longest_row(settings, {.examples = &data}), 28u);
}

DecoderConfig a_model() {
  DecoderConfig config;
  config.num_layers = 4;
  config.hidden_size = 64;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.head_dim = 16;
  config.ffn_size = 128;
  config.vocabulary_size = 1000;
  return config;
}

TEST(TrainingMemory, GivesToActivationsWhatIsLeft) {
  LearnerOptions options;
  const TrainingMemory most =
      plan_training_memory(a_model(), 512, std::size_t{1} << 30, options).value();
  EXPECT_EQ(most.learner.kept_layers, 4u);
  EXPECT_EQ(most.optimiser_bytes, a_model().num_parameters() * 8);
  const auto refused = plan_training_memory(a_model(), 512, 1000, options);
  EXPECT_THAT(refused.error().to_string(), HasSubstr("training needs at least"));
  LearnerOptions lean;
  const std::size_t a_byte_less = most.total() - 1;
  const TrainingMemory less = plan_training_memory(a_model(), 512, a_byte_less, lean).value();
  EXPECT_LT(less.learner.kept_layers, 4u);
  EXPECT_LE(less.total(), a_byte_less);
}

}  // namespace
}  // namespace rr
