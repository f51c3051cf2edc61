// Adapters that learn on weights of 8 and 4 bits.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "rr/nn/internal/half.h"
#include "rr/nn/internal/learner_under_test.h"
#include "rr/nn/internal/quantised_linear.h"
#include "rr/weights/model_files.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

using namespace internal;

// Besides those of the other tests one whose inputs are no whole blocks of 32.
std::vector<Json> quantised_configs() {
  std::vector<Json> configs = model_configs();
  Json odd = small_config("qwen2");
  odd["hidden_size"] = 52;
  odd["intermediate_size"] = 75;
  configs.push_back(odd);
  return configs;
}

LearnerOptions quantised(Precision precision, std::size_t rank = 4) {
  LearnerOptions options;
  options.precision = precision;
  options.lora = LoraShape{rank, 8};
  return options;
}

constexpr Precision kBoth[] = {Precision::kInt8, Precision::kInt4};

// Agreement with serving ------------------------------------------------------------------------

TEST(QuantisedLearner, SaysWhatTheDecoderSays) {
  const Ids ids = some_ids(300, 6);
  for (const Json& config : quantised_configs()) {
    const FakeModel files = small_model(config);
    for (const Precision precision : kBoth) {
      for (const bool force_generic : {false, true}) {
        SCOPED_TRACE(config.dump() + (precision == Precision::kInt8 ? " int8" : " int4"));
        LearnerOptions options = quantised(precision, 5);
        options.force_generic = force_generic;
        const Pair pair(files, options);
        EXPECT_LT(pair.apart(ids).worst, 2e-5);
        move_parameters(*pair.learner);
        EXPECT_GT(pair.apart(ids).mean, 1e-2);
        pair.decoder->adopt(pair.learner->parameters());
        const Difference apart = pair.apart(ids);
        EXPECT_LT(apart.worst, 2e-5);
        EXPECT_LT(apart.mean, 3e-6);
      }
    }
  }
}

TEST(QuantisedLearner, SaysWhatTheDecoderSaysOfTheDefaultModel) {
  RR_NEEDS_FILE(default_model_file());
  const auto files = ModelFiles::open(default_model_file());
  for (const Precision precision : kBoth) {
    const Pair pair(*files.value(), quantised(precision, 16));
    move_parameters(*pair.learner, 0.002f);
    pair.decoder->adopt(pair.learner->parameters());
    const Difference apart = pair.apart(some_ids(400, 7));
    EXPECT_LT(apart.mean, 2e-6);
    EXPECT_LT(apart.worst, 5e-5);
  }
}

// Gradients -------------------------------------------------------------------------------------

// The row as int8 keeps it: whole numbers of the largest weight's 127th part.
void round_to_int8(std::span<float> row) {
  float most = 0;
  for (const float weight : row) most = std::max(most, std::abs(weight));
  for (float& weight : row) weight = std::round(weight * 127 / most) * most / 127;
}

void round_to_int4(std::span<float> row) {
  for (std::size_t start = 0; start < row.size(); start += kQuantBlock) {
    const auto part = row.subspan(start, std::min(kQuantBlock, row.size() - start));
    const Int4Block block = quantise_int4(part);
    for (std::size_t i = 0; i < part.size(); ++i) {
      part[i] = half_bits_to_float(block.d) * block.q[i] + half_bits_to_float(block.m);
    }
  }
}

// The model with the weights that a quantised learner of it has.
FakeModel rounded_model(const ModelFiles& files, Precision precision) {
  FakeModel model(ModelFiles::Format::kHuggingFace, files.metadata());
  const bool is_tied = read_decoder_config(files).value().has_tied_embedding;
  for (const TensorView& tensor : files.tensors()) {
    const bool is_embedding = tensor.name == "model.embed_tokens.weight";
    const bool is_output = tensor.name == "lm_head.weight" || (is_embedding && is_tied);
    std::vector<float> values(tensor.num_elements());
    for (std::size_t r = 0; r < tensor.num_rows(); ++r) {
      const auto row = std::span(values).subspan(r * tensor.row_length(), tensor.row_length());
      dequantize_row(tensor, r, row);
      if (tensor.shape.size() != 2) continue;
      if (is_embedding && !is_tied) {
        for (float& value : row) value = to_float(to_bf16(value));
      } else if (is_output || precision == Precision::kInt8) {
        round_to_int8(row);
      } else {
        round_to_int4(row);
      }
    }
    model.add(tensor.name, tensor.shape, std::move(values));
  }
  return model;
}

// Against a float32 learner on the same weights, whose activations are not rounded: what is left is
// that rounding, about one part in 250 of each number, and what layer after layer makes of it.
// (LearnedLinear.HasThoseOfItsQuantisedWeights holds one layer to 1e-5.)
void expect_gradients_of_rounded_weights(const ModelFiles& files, double loss_tolerance,
                                         double tolerance) {
  const Examples examples = packed_examples();
  for (const Precision precision : kBoth) {
    LearnerOptions options = quantised(precision);
    options.precision = Precision::kF32;
    const Loaded exact = load(rounded_model(files, precision), options);
    fill_adapters(*exact.learner);
    const Learnt expected = learn(*exact.learner, examples.batch);
    options.precision = precision;
    for (const bool force_generic : {false, true}) {
      options.force_generic = force_generic;
      const Loaded model = load(files, options);
      fill_adapters(*model.learner);
      const Learnt found = learn(*model.learner, examples.batch);
      EXPECT_NEAR(mean_loss(found.logprobs), mean_loss(expected.logprobs), loss_tolerance);
      EXPECT_LT(relative_distance(found, expected), tolerance);
    }
  }
}

TEST(QuantisedLearner, HasTheGradientsOfItsWeights) {
  for (const Json& config : quantised_configs()) {
    SCOPED_TRACE(config.dump());
    expect_gradients_of_rounded_weights(small_model(config), 0.01, 0.04);
  }
}

class TinyQuantisedLearner : public testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path folder() const {
    return shared_data(std::string("golden-tiny-models/") + GetParam());
  }
};

TEST_P(TinyQuantisedLearner, HasTheGradientsOfItsWeightsAndSaysWhatTheDecoderSays) {
  RR_NEEDS_FILE(folder());
  const auto files = ModelFiles::open(folder()).value();
  expect_gradients_of_rounded_weights(*files, 0.05, 0.1);
  for (const Precision precision : kBoth) {
    const Pair pair(*files, quantised(precision));
    move_parameters(*pair.learner);
    pair.decoder->adopt(pair.learner->parameters());
    EXPECT_LT(pair.apart(some_ids(200, 6)).worst, 2e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(All, TinyQuantisedLearner,
                         testing::Values("llama-mha", "llama3-rope-scaling", "qwen2-gqa-bias-tied",
                                         "qwen2-untied-yarn", "qwen3-qknorm-wide-heads"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// The loss's change along its gradient. Rounding makes the loss a staircase, so the step is a wide
// one, and the bound as well.
TEST(QuantisedLearner, HasTheGradientOfItsLoss) {
  const Examples examples = packed_examples();
  for (const Json& config : quantised_configs()) {
    for (const Precision precision : kBoth) {
      const Loaded model = load(small_model(config), quantised(precision));
      fill_adapters(*model.learner);
      const Learnt learnt = learn(*model.learner, examples.batch);
      double square = 0;
      for (const auto& [name, gradient] : learnt.gradients) {
        for (const float value : gradient) square += std::pow(static_cast<double>(value), 2);
      }
      const auto loss_at = [&](double step) {
        const auto move = [&](double by) {
          for (const Parameter& tensor : model->parameters()) {
            for (std::size_t i = 0; i < tensor.values.size(); ++i) {
              tensor.values[i] += static_cast<float>(by * tensor.gradient[i] / std::sqrt(square));
            }
          }
          model->update();
        };
        move(step);
        const double loss = mean_loss(model->evaluate(examples.batch));
        move(-step);
        return loss;
      };
      constexpr double kStep = 5e-2;
      const double slope = (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep);
      // The loss is a stair of activations that are rounded; its steps differ by what sums them.
      EXPECT_NEAR(slope / std::sqrt(square), 1, 0.06) << config.dump();
    }
  }
}

TEST(QuantisedLearner, KnowsWhatItSaidBeforeItLearnt) {
  const Examples examples = packed_examples();
  for (const Precision precision : kBoth) {
    const Loaded model = load(small_model(small_config("qwen3")), quantised(precision));
    const std::vector<float> before = model->evaluate(examples.batch);
    fill_adapters(*model.learner);
    EXPECT_NE(model->evaluate(examples.batch), before);
    EXPECT_EQ(model->evaluate_frozen(examples.batch), before);
  }
}

// Memory and bad input --------------------------------------------------------------------------

TEST(QuantisedLearner, TakesLessMemoryTheFewerBitsItsWeightsHave) {
  RR_NEEDS_FILE(default_model_file());
  const auto files = ModelFiles::open(default_model_file());
  const DecoderConfig config = read_decoder_config(*files.value()).value();
  const auto planned = [&](Precision precision) {
    LearnerOptions options = quantised(precision, 16);
    options.activation_bytes = 0;
    return plan_learner_memory(config, options, 4096);
  };
  const LearnerMemory bf16 = planned(Precision::kBf16);
  const LearnerMemory int8 = planned(Precision::kInt8);
  const LearnerMemory int4 = planned(Precision::kInt4);
  const std::size_t mib = std::size_t{1} << 20;
  EXPECT_LT(bf16.total(), 2048 * mib);
  EXPECT_LT(int8.total() + 250 * mib, bf16.total());
  EXPECT_LT(int4.total() + 30 * mib, int8.total());
  // 134.5 million weights, and as floats the adapters: a byte each, or 5 bits and the output layer.
  EXPECT_NEAR(static_cast<double>(int8.weight_bytes), 134.5e6 + 2 * 4 * 4.9e6, 2e6);
  EXPECT_NEAR(static_cast<double>(int4.weight_bytes), 106.2e6 * 5 / 8 + 28.3e6 + 2 * 4 * 4.9e6,
              2e6);
}

TEST(QuantisedLearner, RefusesToLearnItsWeights) {
  ThreadPool pool(1);
  LearnerOptions options;
  options.precision = Precision::kInt4;
  const auto learner = Learner::load(small_model(small_config("llama")), options, pool);
  EXPECT_EQ(learner.error().to_string(),
            "weights of 8 or 4 bits do not learn, only adapters beside them: expected a LoRA rank, "
            "found none");
}

}  // namespace
}  // namespace rr
