#include "rr/train/export_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "rr/nn/decoder.h"
#include "rr/train/internal/tiny_test_model.h"
#include "rr/train/sft.h"
#include "rr/train/sft_settings.h"
#include "rr/weights/fingerprint.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// The logits after a few tokens, in float32.
std::vector<float> logits_of(const ModelFiles& files) {
  ThreadPool pool(1);
  const auto decoder = Decoder::load(files, {.precision = Precision::kF32}, pool).value();
  const auto sequence = decoder->new_sequence();
  const TokenIds ids = {72, 105, 33};
  std::vector<float> logits;
  const DecoderChunk chunk{sequence.get(), ids, LogitsWanted::kLast};
  decoder->forward({&chunk, 1}, logits);
  return logits;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, static_cast<double>(std::abs(a[i] - b[i])));
  }
  return largest;
}

class Silent : public SftListener {
  void on_step(const SftStep&, std::size_t) override {}
  void on_validation(std::size_t, const SftValidation&) override {}
  void on_saved(std::size_t) override {}
};

class ExportModel : public ::testing::Test {
 protected:
  // A run of two steps on the model, as `train sft` leaves it.
  RunFolder train(const fs::path& model, const std::string& name, std::size_t rank) {
    SftSettings settings;
    settings.model = model;
    settings.data =
        tiny_.folder.write("sft.jsonl", R"({"prompt_ids": [72, 105], "completion_ids": [33, 34]})");
    settings.steps = 2;
    settings.accumulate = 1;
    settings.lr = 0.01;
    settings.warmup = 0;
    settings.lora = rank;
    settings.precision = "f32";
    const auto files = ModelFiles::open(model).value();
    const SftData data = read_sft_data(settings.data, tiny_.tokens(), {}).value();
    ThreadPool pool(1);
    SingleRank alone;
    const auto learner = Learner::load(*files, learner_options(settings), pool).value();
    SftTrainer trainer(*learner, {.examples = &data}, sft_options(settings, &data, nullptr), pool,
                       alone);
    RunFolder folder =
        RunFolder::create(tiny_.folder / name,
                          {{"model_sha256", fingerprint(*files)}, {"settings", to_json(settings)}})
            .value();
    Silent listener;
    EXPECT_TRUE(trainer.run(folder, listener, false).ok());
    return folder;
  }

  std::unique_ptr<OverlaidModel> trained(const RunFolder& run, const fs::path& base) {
    auto model = OverlaidModel::create(ModelFiles::open(base).value()).value();
    const Status status = lay_adapter_over(*model, run.path());
    EXPECT_TRUE(status.ok()) << status.error().to_string();
    return model;
  }

  internal::TinyModel tiny_;
};

TEST_F(ExportModel, AFolderSaysWhatTheTrainedModelSays) {
  for (const std::size_t rank : std::vector<std::size_t>{0, 4}) {
    const RunFolder run = train(tiny_.folder, "run" + std::to_string(rank), rank);
    const auto model = trained(run, tiny_.folder);
    const auto expected = logits_of(*model);
    EXPECT_GT(largest_difference(expected, logits_of(*tiny_.files)), 1e-3);
    const fs::path out = tiny_.folder / ("out" + std::to_string(rank));
    ASSERT_TRUE(export_safetensors(*model, TensorType::kF32, out).ok());
    EXPECT_EQ(logits_of(*ModelFiles::open(out).value()), expected);
    EXPECT_TRUE(fs::exists(out / "tokenizer.json"));
    EXPECT_THAT(export_gguf(*model, TensorType::kF32, out / "m.gguf").error().to_string(),
                HasSubstr("export it as safetensors"));
  }
}

TEST_F(ExportModel, AnAdapterSaysTheSameThroughPeftsFiles) {
  const RunFolder run = train(tiny_.folder, "run", 4);
  const fs::path out = tiny_.folder / "adapter";
  ASSERT_TRUE(export_peft(TrainedWeights::open(run).value(), out).ok());
  const auto model = OverlaidModel::create(ModelFiles::open(tiny_.folder).value()).value();
  ASSERT_TRUE(lay_adapter_over(*model, out).ok());
  EXPECT_EQ(logits_of(*model), logits_of(*trained(run, tiny_.folder)));
}

TEST_F(ExportModel, RefusesWhatDoesNotBelongTogether) {
  const RunFolder run = train(tiny_.folder, "run", 0);
  EXPECT_THAT(export_peft(TrainedWeights::open(run).value(), "x").error().to_string(),
              HasSubstr("it has no adapter"));
  const auto trained_model = trained(run, tiny_.folder);
  EXPECT_THAT(lay_adapter_over(*trained_model, run.path()).error().to_string(),
              HasSubstr("expected the model that the run began with"));
}

TEST_F(ExportModel, AGgufFileSaysWhatTheTrainedModelSays) {
  RR_NEEDS_FILE(default_model_file());
  const auto model = OverlaidModel::create(ModelFiles::open(default_model_file()).value()).value();
  const std::vector<float> norm(576, 1.25f);
  ASSERT_TRUE(model->replace("model.norm.weight", {576}, norm).ok());
  const auto expected = logits_of(*model);
  const fs::path out = tiny_.folder / "m.gguf";
  ASSERT_TRUE(export_gguf(*model, TensorType::kF32, out).ok());
  const auto written = ModelFiles::open(out).value();
  EXPECT_EQ(logits_of(*written), expected);
  EXPECT_EQ(written->metadata(), model->metadata());
  ASSERT_TRUE(export_gguf(*model, TensorType::kQ8_0, out).ok());
  EXPECT_LT(largest_difference(logits_of(*ModelFiles::open(out).value()), expected), 1.5);
}

}  // namespace
}  // namespace rr
