#include "rr/nn/learner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>

#include "rr/base/json.h"
#include "rr/nn/internal/learner_under_test.h"
#include "rr/weights/model_files.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

using namespace internal;

Json read_json(const std::filesystem::path& path) {
  std::ifstream in(path);
  return Json::parse(in);
}

LearnerOptions in_float32() {
  LearnerOptions options;
  options.precision = Precision::kF32;
  return options;
}

Examples golden_examples(const Json& golden_batch) {
  Examples examples;
  for (const Json& example : golden_batch) {
    Ids ids = example.at("prompt").get<Ids>();
    const std::size_t prompt = ids.size();
    for (const Json& id : example.at("completion")) ids.push_back(id.get<std::int32_t>());
    examples.add(std::move(ids), prompt);
  }
  return examples;
}

double norm_of(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * value;
  return std::sqrt(sum);
}

const Parameter& parameter(const Learner& learner, const std::string& name) {
  for (const Parameter& candidate : learner.parameters()) {
    if (candidate.name == name) return candidate;
  }
  throw std::out_of_range(name);
}

// Golden gradients ------------------------------------------------------------------------------

// Every norm and every sample, relative to the size of what is compared.
void expect_golden_gradients(const Learner& learner, const Json& golden, double tolerance) {
  for (const auto& [name, norm] : golden.at("grad_norm_by_tensor").items()) {
    EXPECT_NEAR(norm_of(parameter(learner, name).gradient) / norm.get<double>(), 1, tolerance)
        << name;
  }
  if (!golden.contains("grad_samples")) return;
  for (const auto& [name, samples] : golden.at("grad_samples").items()) {
    const Parameter& tensor = parameter(learner, name);
    const double typical = golden.at("grad_norm_by_tensor").at(name).get<double>() /
                           std::sqrt(static_cast<double>(tensor.gradient.size()));
    for (const Json& sample : samples) {
      const double expected = sample[1].get<double>();
      EXPECT_NEAR(tensor.gradient[sample[0].get<std::size_t>()], expected,
                  tolerance * std::max(std::abs(expected), typical))
          << name << "[" << sample[0] << "]";
    }
  }
}

class TinyLearner : public testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path folder() const {
    return shared_data(std::string("golden-tiny-models/") + GetParam());
  }
};

TEST_P(TinyLearner, HasTheGoldenLossAndGradientsInFloat32) {
  RR_NEEDS_FILE(folder());
  const Json golden = read_json(folder() / "golden.json").at("sft");
  const Examples examples = golden_examples(golden.at("batch"));
  for (const bool force_generic : {false, true}) {
    LearnerOptions options = in_float32();
    options.force_generic = force_generic;
    const Loaded model = load(folder(), options);
    const auto logprobs = model->learn(examples.batch, mean_over(examples.batch.targets.size()));
    EXPECT_NEAR(mean_loss(logprobs) / golden.at("loss").get<double>(), 1, 1e-5);
    expect_golden_gradients(*model.learner, golden, 1e-4);
    EXPECT_EQ(model->parameters().size(), golden.at("grad_norm_by_tensor").size());
  }
}

INSTANTIATE_TEST_SUITE_P(All, TinyLearner,
                         testing::Values("llama-mha", "llama3-rope-scaling", "qwen2-gqa-bias-tied",
                                         "qwen2-untied-yarn", "qwen3-qknorm-wide-heads"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(DefaultLearner, HasTheGoldenLossAndGradientsInFloat32) {
  RR_NEEDS_FILE(default_model_file());
  RR_NEEDS_FILE(shared_data("golden-smollm2-135m"));
  const Json golden = read_json(shared_data("golden-smollm2-135m/sft.json"));
  const Examples examples = golden_examples(golden.at("batch"));
  const Loaded model = load(default_model_file(), in_float32());
  const auto logprobs = model->learn(examples.batch, mean_over(examples.batch.targets.size()));
  EXPECT_NEAR(mean_loss(logprobs) / golden.at("loss").get<double>(), 1, 1e-5);
  expect_golden_gradients(*model.learner, golden, 1e-3);
}

// What must not change a result -----------------------------------------------------------------

std::vector<LearnerOptions> all_options() {
  std::vector<LearnerOptions> result;
  for (const Precision precision :
       {Precision::kF32, Precision::kBf16, Precision::kInt8, Precision::kInt4}) {
    const bool is_quantised = precision == Precision::kInt8 || precision == Precision::kInt4;
    for (const bool force_generic : {false, true}) {
      for (const std::size_t rank : std::vector<std::size_t>{0, 4}) {
        if (is_quantised && rank == 0) continue;
        LearnerOptions options;
        options.precision = precision;
        options.force_generic = force_generic;
        if (rank > 0) options.lora = LoraShape{rank, 8};
        result.push_back(options);
      }
    }
  }
  return result;
}

TEST(Learner, GivesTheSameBitsForAnyNumberOfThreadsAndKeptLayers) {
  const Examples examples = packed_examples();
  const FakeModel files = small_model(small_config("qwen3"));
  for (LearnerOptions options : all_options()) {
    std::vector<Learnt> results;
    for (const std::size_t threads : std::vector<std::size_t>{1, 2, 3}) {
      options.activation_bytes = threads == 2 ? 0 : std::size_t{1} << (18 + threads);
      const Loaded model = load(files, options, threads);
      fill_adapters(*model.learner);
      results.push_back(learn(*model.learner, examples.batch));
    }
    for (std::size_t i = 1; i < results.size(); ++i) {
      EXPECT_EQ(results[i].logprobs, results[0].logprobs);
      EXPECT_EQ(results[i].gradients, results[0].gradients);
    }
  }
}

TEST(Learner, EvaluatesWhatItLearns) {
  const Examples examples = packed_examples();
  for (const LearnerOptions& options : all_options()) {
    const Loaded model = load(small_model(small_config("qwen2")), options);
    EXPECT_EQ(model->evaluate(examples.batch), learn(*model.learner, examples.batch).logprobs);
  }
}

TEST(Learner, ExamplesInOneBatchDoNotSeeEachOther) {
  const Examples together = packed_examples();
  for (const Json& config : model_configs()) {
    const Loaded model = load(small_model(config), in_float32());
    const Learnt found = learn(*model.learner, together.batch);
    Learnt expected;
    model->clear_gradients();
    for (std::size_t s = 0; s < together.ids.size(); ++s) {
      LearnerBatch alone;
      alone.segments.push_back({together.ids[s]});
      for (const LearnerTarget& target : together.batch.targets) {
        if (target.segment == s) alone.targets.push_back({0, target.token});
      }
      const auto logprobs = model->learn(alone, mean_over(together.batch.targets.size()));
      expected.logprobs.insert(expected.logprobs.end(), logprobs.begin(), logprobs.end());
    }
    for (const Parameter& tensor : model->parameters()) {
      expected.gradients[tensor.name].assign(tensor.gradient.begin(), tensor.gradient.end());
    }
    EXPECT_EQ(found.logprobs, expected.logprobs);  // a row does not feel its neighbours
    EXPECT_LT(relative_distance(found, expected), 1e-5);
  }
}

TEST(Learner, CompletionsThatShareAPromptAreThatManyWholeExamples) {
  const Ids prompt = some_ids(90, 5);
  Examples shared;
  Examples whole;
  shared.add(prompt, prompt.size());
  for (const std::size_t length : std::vector<std::size_t>{40, 1, 70}) {
    const Ids completion = some_ids(length, static_cast<unsigned>(length));
    shared.add(completion, 0, 0);
    Ids ids = prompt;
    ids.insert(ids.end(), completion.begin(), completion.end());
    whole.add(ids, prompt.size());
  }
  for (const Json& config : model_configs()) {
    LearnerOptions options = in_float32();
    for (const std::size_t rank : std::vector<std::size_t>{0, 3}) {
      if (rank > 0) options.lora = LoraShape{rank, 6};
      const Loaded model = load(small_model(config), options);
      fill_adapters(*model.learner);
      const Learnt found = learn(*model.learner, shared.batch);
      const Learnt expected = learn(*model.learner, whole.batch);
      ASSERT_EQ(found.logprobs.size(), expected.logprobs.size());
      for (std::size_t i = 0; i < found.logprobs.size(); ++i) {
        EXPECT_NEAR(found.logprobs[i], expected.logprobs[i], 2e-5);
      }
      EXPECT_LT(relative_distance(found, expected), 1e-5);
    }
  }
}

// Of the last layer only what targets need is worked out: as much as if the others counted nothing.
TEST(Learner, TargetsThatAreNotAskedForTeachWhatTargetsWithoutWeightTeach) {
  const Ids prompt = some_ids(300, 5);
  const Ids completion = some_ids(90, 6);
  LearnerBatch few;
  few.segments = {{prompt}, {completion, 0}, {completion}};
  LearnerBatch all = few;
  few.targets = {{1, 0}, {0, 7}, {1, 89}, {0, 140}, {0, 140}};  // in an order of their own
  all.targets = few.targets;
  for (std::size_t s = 0; s < all.segments.size(); ++s) {
    for (std::size_t t = 1; t < all.segments[s].ids.size(); ++t) all.targets.push_back({s, t});
  }
  const LossSlope slope = [&](std::size_t target, float) {
    return target < few.targets.size() ? -0.1f * static_cast<float>(target + 1) : 0.0f;
  };
  for (const Json& config : model_configs()) {
    for (const std::size_t rank : std::vector<std::size_t>{0, 3}) {
      LearnerOptions options = in_float32();
      if (rank > 0) options.lora = LoraShape{rank, 6};
      const Loaded model = load(small_model(config), options);
      fill_adapters(*model.learner);
      Learnt of_all = learn(*model.learner, all, slope);
      of_all.logprobs.resize(few.targets.size());
      const Learnt of_few = learn(*model.learner, few, slope);
      EXPECT_EQ(of_few.logprobs, of_all.logprobs);
      EXPECT_LT(relative_distance(of_few, of_all), 1e-5) << config.dump() << " rank " << rank;
    }
  }
}

TEST(Learner, LearnsNothingWithoutTargets) {
  const Ids ids = some_ids(30, 5);
  LearnerBatch batch;
  batch.segments = {{ids}};
  const Loaded model = load(small_model(small_config("llama")), in_float32());
  EXPECT_TRUE(model->evaluate(batch).empty());
  const Learnt learnt = learn(*model.learner, batch);
  EXPECT_TRUE(learnt.logprobs.empty());
  for (const auto& [name, gradient] : learnt.gradients) EXPECT_EQ(norm_of(gradient), 0) << name;
}

// Whatever is read together, attention keeps to the grid of the whole text.
// What is said to be complete is what stands there in the end.
TEST(Learner, SaysWhichGradientsAreComplete) {
  const Examples examples = packed_examples();
  std::vector<Json> configs = model_configs();
  configs.push_back(small_config("qwen3"));
  configs.back()["tie_word_embeddings"] = true;
  for (const Json& config : configs) {
    for (const std::size_t rank : std::vector<std::size_t>{0, 4}) {
      LearnerOptions options = in_float32();
      if (rank > 0) options.lora = LoraShape{rank, 8};
      const Loaded model = load(small_model(config), options);
      fill_adapters(*model.learner);
      const std::span<const Parameter> parameters = model->parameters();
      const auto gradients_from = [&](std::size_t first) {
        std::vector<std::vector<float>> result;
        for (const Parameter& tensor : parameters.subspan(first)) {
          result.emplace_back(tensor.gradient.begin(), tensor.gradient.end());
        }
        return result;
      };
      std::map<std::size_t, std::vector<std::vector<float>>> when_complete;
      std::size_t last = parameters.size() + 1;
      model->learn(examples.batch, mean_over(examples.batch.targets.size()),
                   [&](std::size_t first) {
                     EXPECT_LT(first, last);
                     last = first;
                     when_complete[first] = gradients_from(first);
                   });
      EXPECT_EQ(last, 0u);
      EXPECT_EQ(when_complete.size(), 1 + model->config().num_layers);
      for (const auto& [first, gradients] : when_complete) {
        EXPECT_EQ(gradients, gradients_from(first)) << config.dump() << " from " << first;
      }
    }
  }
}

TEST(Learner, HasItsGradientsInOnePieceOfMemory) {
  for (const Json& config : model_configs()) {
    for (const LearnerOptions& options : all_options()) {
      const Loaded model = load(small_model(config), options);
      const float* end = model->parameters().front().gradient.data();
      for (const Parameter& tensor : model->parameters()) {
        EXPECT_GE(tensor.gradient.data(), end) << tensor.name;
        EXPECT_LE(tensor.gradient.data(), end + 15) << tensor.name;
        for (; end < tensor.gradient.data(); ++end) EXPECT_EQ(*end, 0) << tensor.name;
        end = tensor.gradient.data() + tensor.gradient.size();
      }
    }
  }
}

TEST(Learner, ReadsSharedPromptsToTheBitAsWholeExamples) {
  const Ids prompt = some_ids(550, 5);
  Examples shared;
  Examples whole;
  shared.add(prompt, prompt.size());
  for (const std::size_t length : std::vector<std::size_t>{26, 1, 100}) {
    const Ids completion = some_ids(length, static_cast<unsigned>(length));
    shared.add(completion, 0, 0);
    Ids ids = prompt;
    ids.insert(ids.end(), completion.begin(), completion.end());
    whole.add(ids, prompt.size());
  }
  for (const Json& config : model_configs()) {
    for (const Precision precision : {Precision::kBf16, Precision::kF32}) {
      LearnerOptions options;
      options.precision = precision;
      const Loaded model = load(small_model(config), options);
      EXPECT_EQ(model->evaluate(shared.batch), model->evaluate(whole.batch)) << config.dump();
    }
  }
}

// The loss's change along its gradient, by differences of whole forward passes.
TEST(Learner, HasTheGradientOfItsLoss) {
  const Examples examples = packed_examples();
  for (const Json& config : model_configs()) {
    for (const std::size_t rank : std::vector<std::size_t>{0, 4}) {
      LearnerOptions options = in_float32();
      if (rank > 0) options.lora = LoraShape{rank, 8};
      const Loaded model = load(small_model(config), options);
      fill_adapters(*model.learner);
      const Learnt learnt = learn(*model.learner, examples.batch);
      double square = 0;
      for (const auto& [name, gradient] : learnt.gradients)
        square += std::pow(norm_of(gradient), 2);
      const auto loss_along = [&](double step) {
        const auto move = [&](double by) {
          for (const Parameter& tensor : model->parameters()) {
            const auto& gradient = learnt.gradients.at(tensor.name);
            for (std::size_t i = 0; i < gradient.size(); ++i) {
              tensor.values[i] += static_cast<float>(by * gradient[i] / std::sqrt(square));
            }
          }
          model->update();
        };
        move(step);
        const double loss = mean_loss(model->evaluate(examples.batch));
        move(-step);
        return loss;
      };
      constexpr double kStep = 5e-3;
      const double slope = (loss_along(kStep) - loss_along(-kStep)) / (2 * kStep);
      EXPECT_NEAR(slope / std::sqrt(square), 1, 5e-3) << config.dump() << " rank " << rank;
    }
  }
}

TEST(Learner, LearnsJointlyWhatItLearnsOneByOne) {
  const Examples examples = packed_examples();
  const std::size_t num_targets = examples.batch.targets.size();
  for (const Json& config : model_configs()) {
    const Loaded model = load(small_model(config), in_float32());
    const auto slope_of = [](std::size_t target, float logprob) {
      return (target % 3 == 0 ? 0.5f : -0.25f) * logprob;
    };
    const auto gradients = [&](const auto& learn) {
      model->clear_gradients();
      const std::vector<float> logprobs = learn();
      std::vector<std::vector<float>> result = {logprobs};
      for (const Parameter& tensor : model->parameters()) {
        result.emplace_back(tensor.gradient.begin(), tensor.gradient.end());
      }
      return result;
    };
    const auto one_by_one = gradients([&] { return model->learn(examples.batch, slope_of); });
    const auto jointly = gradients([&] {
      return model->learn_jointly(examples.batch, [&](std::span<const float> logprobs) {
        EXPECT_EQ(logprobs.size(), num_targets);
        std::vector<float> slopes;
        for (const float logprob : logprobs) slopes.push_back(slope_of(slopes.size(), logprob));
        return slopes;
      });
    });
    EXPECT_EQ(jointly, one_by_one) << config.dump();
  }
}

// One engine ------------------------------------------------------------------------------------

TEST(Learner, SaysWhatTheDecoderSays) {
  const Ids ids = some_ids(300, 6);
  for (const char* architecture : {"qwen3", "qwen2", "llama"}) {
    const FakeModel files = small_model(small_config(architecture));
    for (const bool force_generic : {false, true}) {
      SCOPED_TRACE(architecture);
      LearnerOptions options = in_float32();
      options.force_generic = force_generic;
      const Difference exact = Pair(files, options).apart(ids);
      EXPECT_LT(exact.worst, 2e-5);
      EXPECT_LT(exact.mean, 3e-6);
      options.precision = Precision::kBf16;
      const Difference rounded = Pair(files, options).apart(ids);
      EXPECT_LT(rounded.worst, 2e-5);
      EXPECT_LT(rounded.mean, 3e-6);
    }
  }
}

TEST(Learner, KnowsWhatItSaidBeforeItLearnt) {
  const Examples examples = packed_examples();
  for (const Json& config : model_configs()) {
    LearnerOptions options;
    options.lora = LoraShape{4, 8};
    const Loaded model = load(small_model(config), options);
    const std::vector<float> before = model->evaluate(examples.batch);
    fill_adapters(*model.learner);
    const std::vector<float> after = model->evaluate(examples.batch);
    EXPECT_NE(after, before);
    EXPECT_EQ(model->evaluate_frozen(examples.batch), before);
    EXPECT_EQ(model->evaluate(examples.batch), after);
  }
}

TEST(Decoder, AdoptsWhatWasLearnt) {
  const Ids ids = some_ids(150, 6);
  for (const Json& config : model_configs()) {
    for (const std::size_t rank : std::vector<std::size_t>{0, 5, 8}) {
      for (const bool force_generic : {false, true}) {
        SCOPED_TRACE(config.dump() + " rank " + std::to_string(rank));
        LearnerOptions options = in_float32();
        options.force_generic = force_generic;
        if (rank > 0) options.lora = LoraShape{rank, 10};
        const FakeModel files = small_model(config);
        const Pair exact(files, options);
        EXPECT_LT(exact.apart(ids).worst, 2e-5);
        move_parameters(*exact.learner);
        EXPECT_GT(exact.apart(ids).mean, 1e-2);
        exact.decoder->adopt(exact.learner->parameters());
        EXPECT_LT(exact.apart(ids).worst, 5e-5);

        options.precision = Precision::kBf16;
        const Pair rounded(files, options);
        move_parameters(*rounded.learner);
        rounded.decoder->adopt(rounded.learner->parameters());
        EXPECT_LT(rounded.apart(ids).worst, 5e-5);
      }
    }
  }
}

// Where rollouts are made by the one and learnt by the other, this difference is what importance
// ratios would have to make up for.
TEST(DefaultLearner, SaysWhatTheDecoderSaysWithAdaptersToo) {
  RR_NEEDS_FILE(default_model_file());
  RR_NEEDS_FILE(shared_data("golden-smollm2-135m"));
  const Json golden = read_json(shared_data("golden-smollm2-135m/sft.json"));
  Ids ids = golden_examples(golden.at("batch")).ids.front();
  const auto files = ModelFiles::open(default_model_file());
  LearnerOptions options;
  for (const Precision precision : {Precision::kBf16, Precision::kF32}) {
    for (const std::size_t rank : std::vector<std::size_t>{0, 16}) {
      options.precision = precision;
      if (rank > 0) options.lora = LoraShape{rank, 32};
      const Pair pair(*files.value(), options);
      if (rank > 0) move_parameters(*pair.learner, 0.002f);
      pair.decoder->adopt(pair.learner->parameters());
      const Difference apart = pair.apart(ids);
      EXPECT_LT(apart.mean, 2e-6);
      EXPECT_LT(apart.worst, 5e-5);
    }
  }
}

TEST(Learner, StaysCloseToFloat32InBf16) {
  const Examples examples = packed_examples();
  for (const Json& config : model_configs()) {
    for (const std::size_t rank : std::vector<std::size_t>{0, 4}) {
      LearnerOptions options = in_float32();
      if (rank > 0) options.lora = LoraShape{rank, 8};
      const Loaded exact = load(small_model(config), options);
      fill_adapters(*exact.learner);
      const Learnt expected = learn(*exact.learner, examples.batch);
      options.precision = Precision::kBf16;
      for (const bool force_generic : {false, true}) {
        options.force_generic = force_generic;
        const Loaded rounded = load(small_model(config), options);
        fill_adapters(*rounded.learner);
        const Learnt found = learn(*rounded.learner, examples.batch);
        EXPECT_NEAR(mean_loss(found.logprobs), mean_loss(expected.logprobs), 0.01);
        EXPECT_LT(relative_distance(found, expected), 0.02) << config.dump() << " rank " << rank;
      }
    }
  }
}

TEST(LearnerLoad, RefusesARankOfNothing) {
  ThreadPool pool(1);
  LearnerOptions options;
  options.lora = LoraShape{0, 1};
  const auto learner = Learner::load(small_model(small_config("llama")), options, pool);
  EXPECT_EQ(learner.error().to_string(), "expected a LoRA rank of at least 1, found 0");
}

TEST(LearnerMemory, KeepsAsManyLayersAsFit) {
  RR_NEEDS_FILE(default_model_file());
  const auto files = ModelFiles::open(default_model_file());
  const DecoderConfig config = read_decoder_config(*files.value()).value();
  LearnerOptions options;
  const std::size_t gib = std::size_t{1} << 30;
  EXPECT_EQ(plan_learner_memory(config, options, 1024).kept_layers, 30u);
  options.activation_bytes = 0;
  const LearnerMemory least = plan_learner_memory(config, options, 4096);
  EXPECT_EQ(least.kept_layers, 0u);
  EXPECT_EQ(least.parameter_bytes, 2u * 4 * 134515008);
  // With the two moments of an optimiser.
  EXPECT_LT(least.total() + 2u * 4 * 134515008, 4 * gib);
  options.lora = LoraShape{16, 32};
  EXPECT_LT(plan_learner_memory(config, options, 4096).total(), 2 * gib);
}

}  // namespace
}  // namespace rr
