#include "rr/nn/overlaid_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "rr/base/json.h"
#include "rr/nn/decoder.h"
#include "rr/nn/learner.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

using ::testing::HasSubstr;
using Ids = std::vector<std::int32_t>;

// log p of every token after the first.
std::vector<double> logprobs(const ModelFiles& files, const Ids& ids) {
  ThreadPool pool(2);
  const auto decoder = Decoder::load(files, {.precision = Precision::kF32}, pool).value();
  const auto sequence = decoder->new_sequence();
  std::vector<float> logits;
  const DecoderChunk chunk{sequence.get(), ids, LogitsWanted::kAll};
  decoder->forward({&chunk, 1}, logits);
  const std::size_t vocabulary = decoder->config().vocabulary_size;
  std::vector<double> result;
  for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
    const auto row = std::span(logits).subspan(i * vocabulary, vocabulary);
    double sum = 0;
    for (const float logit : row) sum += std::exp(static_cast<double>(logit));
    result.push_back(row[static_cast<std::size_t>(ids[i + 1])] - std::log(sum));
  }
  return result;
}

class OverlaidTinyModel : public testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path folder() const {
    return shared_data(std::string("golden-tiny-models/") + GetParam());
  }
};

TEST_P(OverlaidTinyModel, SaysWithAnAdapterWhatPeftSays) {
  RR_NEEDS_FILE(folder());
  std::ifstream in(folder() / "golden.json");
  const Json golden = Json::parse(in);
  const auto model = OverlaidModel::create(ModelFiles::open(folder()).value()).value();
  ASSERT_TRUE(model->add(*LoraAdapter::open(folder() / "lora").value()).ok());
  const auto found = logprobs(*model, golden.at("ids").get<Ids>());
  const auto expected = golden.at("lora").at("token_logprobs").get<std::vector<double>>();
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 2e-4) << i;
}

INSTANTIATE_TEST_SUITE_P(All, OverlaidTinyModel,
                         testing::Values("llama-mha", "llama3-rope-scaling", "qwen2-gqa-bias-tied",
                                         "qwen2-untied-yarn", "qwen3-qknorm-wide-heads"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(OverlaidModel, RefusesAnAdapterOfAnotherModel) {
  RR_NEEDS_FILE(shared_data("golden-tiny-models"));
  const auto model =
      OverlaidModel::create(ModelFiles::open(shared_data("golden-tiny-models/llama-mha")).value())
          .value();
  const auto adapter =
      LoraAdapter::open(shared_data("golden-tiny-models/qwen3-qknorm-wide-heads/lora")).value();
  EXPECT_THAT(model->add(*adapter).error().to_string(),
              HasSubstr("the adapter does not fit the model: expected model.layers.0."));
}

// A GGUF file has q and k in another order of rows: what is put in by Hugging Face's names must
// come out where it belongs.
TEST(OverlaidModel, PutsRowsWhereTheFileHasThem) {
  RR_NEEDS_FILE(default_model_file());
  const Ids ids = {1, 9690, 198, 2683, 359, 31832};
  const auto base = ModelFiles::open(default_model_file()).value();
  const auto expected = logprobs(*base, ids);
  const auto model = OverlaidModel::create(ModelFiles::open(default_model_file()).value()).value();
  ThreadPool pool(2);
  LearnerOptions options;
  options.precision = Precision::kF32;
  const auto learner = Learner::load(*base, options, pool).value();
  for (const Parameter& parameter : learner->parameters()) {
    ASSERT_TRUE(model->replace(parameter.name, parameter.shape, parameter.values).ok());
  }
  const auto found = logprobs(*model, ids);
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-5);
  EXPECT_THAT(
      model->replace("model.layers.30.mlp.up_proj.weight", {1536, 576}, {}).error().to_string(),
      HasSubstr("the model has no tensor model.layers.30"));
}

}  // namespace
}  // namespace rr
