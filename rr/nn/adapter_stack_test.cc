#include "rr/nn/adapter_stack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <fstream>

#include "rr/nn/internal/learner_under_test.h"
#include "rr/nn/overlaid_model.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

using namespace internal;
using ::testing::HasSubstr;

// An adapter of some linear layers of small_model(), with numbers without meaning.
class FakeAdapter : public LoraAdapter {
 public:
  FakeAdapter(std::string name, std::size_t rank, float scale, unsigned seed)
      : path_(std::move(name)) {
    add("model.layers.0.self_attn.q_proj", 128, 64, rank, scale, ++seed);
    add("model.layers.1.self_attn.v_proj", 64, 64, rank, scale, ++seed);
    add("model.layers.1.mlp.gate_proj", 160, 64, rank, scale, ++seed);
    add("model.layers.1.mlp.down_proj", 64, 160, rank, scale, ++seed);
  }
  FakeAdapter(const std::string& module, std::size_t outputs, std::size_t inputs) : path_("fake") {
    add(module, outputs, inputs, 2, 1, 1);
  }

  const std::filesystem::path& path() const override { return path_; }
  std::span<const LoraModule> modules() const override { return modules_; }

 private:
  void add(const std::string& name, std::size_t outputs, std::size_t inputs, std::size_t rank,
           float scale, unsigned seed) {
    const auto view = [&](std::size_t rows, std::size_t columns, unsigned of) {
      const auto& values = values_.emplace_back(some_floats(rows * columns, of, 0.1f));
      return TensorView{name, TensorType::kF32, {rows, columns}, std::as_bytes(std::span(values))};
    };
    const TensorView a = view(rank, inputs, 2 * seed);
    const TensorView b = view(outputs, rank, 2 * seed + 1);
    modules_.push_back({name, a, b, scale});
  }

  std::filesystem::path path_;
  std::deque<std::vector<float>> values_;
  std::vector<LoraModule> modules_;
};

std::vector<float> logprobs_beside(const ModelFiles& files, AdapterStack& stack, const Ids& ids,
                                   Precision precision = Precision::kF32) {
  ThreadPool pool(2);
  const auto decoder =
      Decoder::load(files, {.precision = precision, .lora = stack.shape()}, pool).value();
  decoder->adopt(stack.parameters());
  return served_logprobs(*decoder, ids);
}

class StackOnTinyModel : public testing::TestWithParam<const char*> {};

TEST_P(StackOnTinyModel, SaysWithAnAdapterWhatPeftSays) {
  const auto folder = shared_data(std::string("golden-tiny-models/") + GetParam());
  RR_NEEDS_FILE(folder);
  std::ifstream in(folder / "golden.json");
  const Json golden = Json::parse(in);
  const auto files = ModelFiles::open(folder).value();
  AdapterStack stack(read_decoder_config(*files).value());
  ASSERT_TRUE(stack.add(*LoraAdapter::open(folder / "lora").value()).ok());
  const auto found = logprobs_beside(*files, stack, golden.at("ids").get<Ids>());
  const auto expected = golden.at("lora").at("token_logprobs").get<std::vector<double>>();
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 2e-4) << i;
}

INSTANTIATE_TEST_SUITE_P(All, StackOnTinyModel,
                         testing::Values("llama-mha", "llama3-rope-scaling", "qwen2-gqa-bias-tied",
                                         "qwen2-untied-yarn", "qwen3-qknorm-wide-heads"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

std::unique_ptr<OverlaidModel> overlaid(const Json& config,
                                        std::span<const LoraAdapter* const> of) {
  auto model = OverlaidModel::create(std::make_unique<FakeModel>(small_model(config))).value();
  for (const LoraAdapter* const adapter : of) EXPECT_TRUE(model->add(*adapter).ok());
  return model;
}

// Ranks and scales of their own, and layers that only one of them has.
TEST(AdapterStack, IsTheSumOfItsAdapters) {
  const Json config = small_config("qwen3");
  const FakeModel files = small_model(config);
  const FakeAdapter first("first", 3, 2.0f, 10);
  const FakeAdapter second("second", 5, 0.3f, 20);
  const FakeAdapter third("model.layers.0.self_attn.o_proj", 64, 128);
  AdapterStack stack(read_decoder_config(files).value());
  EXPECT_TRUE(stack.empty());
  const LoraAdapter* const all[] = {&first, &second, &third};
  for (const LoraAdapter* const adapter : all) ASSERT_TRUE(stack.add(*adapter).ok());
  EXPECT_EQ(stack.shape().rank, 10u);
  EXPECT_TRUE(stack.has("second"));
  EXPECT_FALSE(stack.has("third"));
  const Ids ids = some_ids(60, 3);
  ThreadPool pool(2);
  const auto in_weights =
      Decoder::load(*overlaid(config, all), {.precision = Precision::kF32}, pool).value();
  const auto expected = served_logprobs(*in_weights, ids);
  const Difference apart = difference(logprobs_beside(files, stack, ids), expected);
  EXPECT_LT(apart.worst, 2e-4);
  const auto without = Decoder::load(files, {.precision = Precision::kF32}, pool).value();
  EXPECT_GT(difference(served_logprobs(*without, ids), expected).mean, 0.05);
}

// Beside quantised weights too, to the bit what a learner of such an adapter says.
TEST(AdapterStack, StandsBesideQuantisedWeights) {
  const FakeModel files = small_model(small_config("qwen2"));
  const FakeAdapter adapter("adapter", 3, 2.0f, 10);
  AdapterStack stack(read_decoder_config(files).value());
  ASSERT_TRUE(stack.add(adapter).ok());
  const Ids ids = some_ids(60, 3);
  for (const Precision precision : {Precision::kInt8, Precision::kInt4}) {
    LearnerOptions options;
    options.precision = precision;
    options.lora = stack.shape();
    const Loaded learner = load(files, options);
    for (const Parameter& from : stack.parameters()) {
      for (const Parameter& to : learner->parameters()) {
        if (to.name == from.name)
          std::copy(from.values.begin(), from.values.end(), to.values.data());
      }
    }
    learner->update();
    Examples examples;
    examples.add(ids, 1);
    const auto said = logprobs_beside(files, stack, ids, precision);
    EXPECT_LT(difference(said, learner->evaluate(examples.batch)).worst, 2e-5);
    ThreadPool pool(2);
    const auto without = Decoder::load(files, {.precision = precision}, pool).value();
    EXPECT_GT(difference(served_logprobs(*without, ids), said).mean, 0.05);
  }
}

TEST(AdapterStack, RefusesAnAdapterOfAnotherModel) {
  AdapterStack stack(read_decoder_config(small_model(small_config("llama"))).value());
  EXPECT_THAT(stack.add(FakeAdapter("model.layers.2.mlp.up_proj", 160, 64)).error().to_string(),
              HasSubstr("the model has no linear layer model.layers.2.mlp.up_proj"));
  EXPECT_THAT(stack.add(FakeAdapter("model.layers.1.mlp.up_proj", 64, 160)).error().to_string(),
              HasSubstr("expected model.layers.1.mlp.up_proj to have shape [160, 64] as in the "
                        "model, found [64, 160]"));
  EXPECT_TRUE(stack.empty());
}

}  // namespace
}  // namespace rr
