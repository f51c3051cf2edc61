#include "rr/train/adamw.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "rr/base/json.h"
#include "rr/weights/model_files.h"
#include "rr/weights/tensor_file.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

using Ids = std::vector<std::int32_t>;

// A matrix and a vector that learn.
struct Tensors {
  std::vector<float> w = {1.0f, -2.0f};
  std::vector<float> w_gradient = {0.5f, 0.25f};
  std::vector<float> b = {3.0f};
  std::vector<float> b_gradient = {-1.0f};
  std::vector<Parameter> parameters = {{"w", {1, 2}, w, w_gradient}, {"b", {1}, b, b_gradient}};
};

TEST(AdamW, MovesByTheRateAtFirstAndDecaysMatricesOnly) {
  Tensors tensors;
  ThreadPool pool(2);
  AdamW optimiser(tensors.parameters, {.epsilon = 0, .weight_decay = 0.1});
  optimiser.step(0.01, 1, pool);
  // m / (1 - beta1) = g and v / (1 - beta2) = g^2, so that the first move is rate * sign(g).
  EXPECT_NEAR(tensors.w[0], 1.0 * (1 - 0.001) - 0.01, 1e-6);
  EXPECT_NEAR(tensors.w[1], -2.0 * (1 - 0.001) - 0.01, 1e-6);
  EXPECT_NEAR(tensors.b[0], 3.0 + 0.01, 1e-6);
  EXPECT_EQ(optimiser.num_steps(), 1u);
}

TEST(AdamW, MeasuresAllGradientsTogether) {
  Tensors tensors;
  ThreadPool pool(1);
  const AdamW optimiser(tensors.parameters, {});
  EXPECT_NEAR(optimiser.gradient_norm(pool), std::sqrt(0.25 + 0.0625 + 1), 1e-12);
}

TEST(ClipFactor, OnlyEverShrinks) {
  EXPECT_EQ(clip_factor(0.5, 1), 1);
  EXPECT_NEAR(clip_factor(4, 1), 0.25, 1e-6);
  EXPECT_EQ(clip_factor(4, 0), 1);
}

// Five steps of AdamW on all weights, as torch and transformers took them ------------------------

Json read_json(const std::filesystem::path& path) {
  std::ifstream in(path);
  return Json::parse(in);
}

struct GoldenBatch {
  explicit GoldenBatch(const Json& examples) {
    for (const Json& example : examples) {
      Ids& row = ids.emplace_back(example.at("prompt").get<Ids>());
      prompts.push_back(row.size());
      for (const Json& id : example.at("completion")) row.push_back(id.get<std::int32_t>());
    }
    for (std::size_t s = 0; s < ids.size(); ++s) {
      batch.segments.push_back({ids[s]});
      for (std::size_t i = prompts[s]; i < ids[s].size(); ++i) batch.targets.push_back({s, i});
    }
  }
  std::vector<Ids> ids;
  std::vector<std::size_t> prompts;
  LearnerBatch batch;
};

double mean_loss(const std::vector<float>& logprobs) {
  double sum = 0;
  for (const float logprob : logprobs) sum -= logprob;
  return sum / static_cast<double>(logprobs.size());
}

void expect_golden_steps(const std::filesystem::path& model, const Json& examples,
                         const Json& golden, const LearnerOptions& options, double tolerance) {
  ThreadPool pool(2);
  const auto learner = Learner::load(*ModelFiles::open(model).value(), options, pool).value();
  AdamW optimiser(
      learner->parameters(),
      {golden.at("betas")[0].get<double>(), golden.at("betas")[1].get<double>(),
       golden.at("eps").get<double>(), golden.at("weight_decay_on_matrices").get<double>()});
  const GoldenBatch golden_batch(examples);
  const float slope = -1.0f / static_cast<float>(golden_batch.batch.targets.size());
  for (const Json& before : golden.at("loss_and_norm_before_each_step")) {
    learner->clear_gradients();
    const auto logprobs =
        learner->learn(golden_batch.batch, [slope](std::size_t, float) { return slope; });
    const double norm = optimiser.gradient_norm(pool);
    EXPECT_NEAR(mean_loss(logprobs) / before[0].get<double>(), 1, tolerance);
    EXPECT_NEAR(norm / before[1].get<double>(), 1, tolerance);
    optimiser.step(golden.at("lr").get<double>(),
                   clip_factor(norm, golden.at("clip").get<double>()), pool);
    learner->update();
  }
  EXPECT_NEAR(
      mean_loss(learner->evaluate(golden_batch.batch)) / golden.at("loss_after").get<double>(), 1,
      tolerance);
}

class TinyModelLearns : public testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path folder() const {
    return shared_data(std::string("golden-tiny-models/") + GetParam());
  }
};

TEST_P(TinyModelLearns, AsTorchDoes) {
  RR_NEEDS_FILE(folder());
  const Json golden = read_json(folder() / "golden.json");
  LearnerOptions options;
  options.precision = Precision::kF32;
  expect_golden_steps(folder(), golden.at("sft").at("batch"), golden.at("adamw"), options, 1e-4);
}

// The adapter of the golden data: its numbers in the learner's A and B.
TEST_P(TinyModelLearns, HasTheGoldenAdapterGradients) {
  RR_NEEDS_FILE(folder());
  const Json golden = read_json(folder() / "golden.json");
  const Json& expected = golden.at("lora");
  LearnerOptions options;
  options.precision = Precision::kF32;
  options.lora = LoraShape{expected.at("r").get<std::size_t>(), expected.at("alpha").get<float>()};
  ThreadPool pool(2);
  const auto learner = Learner::load(*ModelFiles::open(folder()).value(), options, pool).value();
  const auto adapter = TensorFile::open(folder() / "lora" / "adapter_model.safetensors").value();
  for (const Parameter& parameter : learner->parameters()) {
    const TensorView* const tensor = adapter->find("base_model.model." + parameter.name);
    ASSERT_NE(tensor, nullptr) << parameter.name;
    ASSERT_EQ(tensor->shape, parameter.shape);
    for (std::size_t r = 0; r < tensor->num_rows(); ++r) {
      dequantize_row(*tensor, r,
                     parameter.values.subspan(r * tensor->row_length(), tensor->row_length()));
    }
  }
  learner->update();
  const GoldenBatch examples(golden.at("sft").at("batch"));
  const float slope = -1.0f / static_cast<float>(examples.batch.targets.size());
  const auto logprobs =
      learner->learn(examples.batch, [slope](std::size_t, float) { return slope; });
  EXPECT_NEAR(mean_loss(logprobs) / expected.at("loss").get<double>(), 1, 1e-5);
  for (const Parameter& parameter : learner->parameters()) {
    double squares = 0;
    for (const float g : parameter.gradient) squares += static_cast<double>(g) * g;
    EXPECT_NEAR(
        std::sqrt(squares) / expected.at("grad_norm_by_tensor").at(parameter.name).get<double>(), 1,
        1e-4)
        << parameter.name;
  }
  EXPECT_EQ(learner->parameters().size(), expected.at("grad_norm_by_tensor").size());
}

INSTANTIATE_TEST_SUITE_P(All, TinyModelLearns,
                         testing::Values("llama-mha", "llama3-rope-scaling", "qwen2-gqa-bias-tied",
                                         "qwen2-untied-yarn", "qwen3-qknorm-wide-heads"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(DefaultModelLearns, AsTorchDoes) {
  RR_NEEDS_FILE(default_model_file());
  RR_NEEDS_FILE(shared_data("golden-smollm2-135m"));
  const Json golden = read_json(shared_data("golden-smollm2-135m/sft.json"));
  LearnerOptions options;
  options.precision = Precision::kF32;
  expect_golden_steps(default_model_file(), golden.at("batch"), golden.at("adamw"), options, 1e-3);
}

}  // namespace
}  // namespace rr
