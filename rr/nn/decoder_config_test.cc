#include "rr/nn/decoder_config.h"

#include <gtest/gtest.h>

#include <cmath>

#include "rr/nn/internal/fake_model.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

using internal::FakeModel;
using internal::small_config;

Result<DecoderConfig> read(const Json& config) {
  return read_decoder_config(FakeModel(ModelFiles::Format::kHuggingFace, config));
}

Json with(Json config, const std::string& key, const Json& value) {
  config[key] = value;
  return config;
}

std::string refusal(const Json& config) {
  const auto result = read(config);
  return result.ok() ? "" : result.error().to_string();
}

TEST(DecoderConfig, ReadsAConfigurationOfHuggingFace) {
  const DecoderConfig config = read(small_config("qwen3")).value();
  EXPECT_EQ(config.architecture, "qwen3");
  EXPECT_EQ(config.num_layers, 2u);
  EXPECT_EQ(config.head_dim, 32u);
  EXPECT_EQ(config.num_kv_heads, 2u);
  EXPECT_EQ(config.context_length, 2048u);
  EXPECT_TRUE(config.has_qk_norm);
  EXPECT_FALSE(config.has_qkv_bias);
  EXPECT_FALSE(config.has_tied_embedding);
  EXPECT_EQ(config.rope.inverse_frequencies.size(), 16u);
  EXPECT_EQ(config.rope.inverse_frequencies[0], 1.0f);
  EXPECT_FLOAT_EQ(config.rope.inverse_frequencies[8], 0.01f);  // 10000^(-16/32)
}

TEST(DecoderConfig, Qwen2HasBiasesAndLlamaOnlyWhereItSaysSo) {
  EXPECT_TRUE(read(small_config("qwen2")).value().has_qkv_bias);
  EXPECT_FALSE(read(small_config("qwen2")).value().has_output_bias);
  EXPECT_FALSE(read(small_config("llama")).value().has_qkv_bias);
  const auto biased = read(with(small_config("llama"), "attention_bias", true)).value();
  EXPECT_TRUE(biased.has_qkv_bias);
  EXPECT_TRUE(biased.has_output_bias);
}

TEST(DecoderConfig, BothGenerationsOfRopeParametersMeanTheSame) {
  Json older = small_config("qwen2");
  older["rope_theta"] = 1000000.0;
  older["rope_scaling"] = {
      {"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 512}};
  Json newer = small_config("qwen2");
  newer.erase("rope_theta");
  newer["rope_parameters"] = {{"rope_type", "yarn"},
                              {"rope_theta", 1000000.0},
                              {"factor", 4.0},
                              {"original_max_position_embeddings", 512}};
  const Rope a = read(older).value().rope;
  const Rope b = read(newer).value().rope;
  EXPECT_EQ(a.inverse_frequencies, b.inverse_frequencies);
  EXPECT_EQ(a.attention_factor, b.attention_factor);
  EXPECT_EQ(a.scaling, "yarn");
  EXPECT_FLOAT_EQ(a.attention_factor, 1.1386294f);  // 0.1 ln 4 + 1
  // The fastest pair turns more than beta_fast = 32 times in 512 positions and stays; the slowest
  // turns less than once and is stretched by 4.
  EXPECT_FLOAT_EQ(a.inverse_frequencies[0], 1.0f);
  EXPECT_FLOAT_EQ(a.inverse_frequencies[15],
                  static_cast<float>(std::pow(1000000.0, -30.0 / 32) / 4));
}

TEST(DecoderConfig, Llama3StretchesLongWavelengthsOnly) {
  Json config = small_config("llama");
  config["rope_scaling"] = {{"rope_type", "llama3"},
                            {"factor", 8.0},
                            {"low_freq_factor", 1.0},
                            {"high_freq_factor", 4.0},
                            {"original_max_position_embeddings", 1024}};
  const Rope rope = read(config).value().rope;
  const auto plain = [](int i) { return std::pow(10000.0, -2.0 * i / 32); };
  // Turns in 1,024 positions: pair 8 (wavelength 628) 1.63, pair 6 (199) 5.15, pair 12 (6,283) 0.16
  EXPECT_FLOAT_EQ(rope.inverse_frequencies[6], static_cast<float>(plain(6)));
  EXPECT_FLOAT_EQ(rope.inverse_frequencies[12], static_cast<float>(plain(12) / 8));
  const double turns = 1024 * plain(8) / (2 * M_PI);
  const double kept = (turns - 1) / 3;
  EXPECT_FLOAT_EQ(rope.inverse_frequencies[8],
                  static_cast<float>(plain(8) * (kept + (1 - kept) / 8)));
}

TEST(DecoderConfig, RefusesWhatWouldChangeTheResult) {
  const Json llama = small_config("llama");
  EXPECT_EQ(refusal(llama), "");
  EXPECT_EQ(refusal(with(llama, "model_type", "mixtral")),
            "fake/config.json: expected model_type llama, qwen2 or qwen3, found \"mixtral\"");
  EXPECT_NE(refusal(with(llama, "mlp_bias", true)).find("mlp_bias"), std::string::npos);
  EXPECT_NE(refusal(with(llama, "hidden_act", "gelu")).find("gelu"), std::string::npos);
  EXPECT_NE(refusal(with(llama, "use_sliding_window", true)).find("sliding window"),
            std::string::npos);
  EXPECT_NE(refusal(with(llama, "layer_types", {"full_attention", "sliding_attention"}))
                .find("sliding_attention"),
            std::string::npos);
  EXPECT_NE(refusal(with(llama, "rope_scaling", {{"type", "longrope"}})).find("longrope"),
            std::string::npos);
  EXPECT_NE(refusal(with(llama, "partial_rotary_factor", 0.5)).find("part of each head"),
            std::string::npos);
}

TEST(DecoderConfig, RefusesSizesWithoutSense) {
  const Json llama = small_config("llama");
  EXPECT_EQ(refusal(with(llama, "num_key_value_heads", 3)),
            "fake/config.json: expected the number of heads to be a multiple of that of KV heads, "
            "found 4 and 3");
  EXPECT_EQ(refusal(with(llama, "hidden_size", -64)),
            "fake/config.json: expected hidden_size to be a whole number from 1 to 16777216, found "
            "-64");
  EXPECT_EQ(refusal(with(llama, "num_hidden_layers", nullptr)),
            "fake/config.json: expected num_hidden_layers to be a whole number, found nothing");
  EXPECT_NE(refusal(with(llama, "head_dim", 7)), "");
  EXPECT_NE(refusal(with(llama, "vocab_size", "many")), "");
  EXPECT_NE(refusal(with(llama, "rope_theta", 0.0)), "");
  EXPECT_NE(refusal(Json::array()), "");
}

TEST(DecoderConfig, ReadsTheDefaultModel) {
  RR_NEEDS_FILE(default_model_file());
  const auto files = ModelFiles::open(default_model_file());
  const DecoderConfig config = read_decoder_config(*files.value()).value();
  EXPECT_EQ(config.architecture, "llama");
  EXPECT_EQ(config.num_layers, 30u);
  EXPECT_EQ(config.num_heads, 9u);
  EXPECT_EQ(config.num_kv_heads, 3u);
  EXPECT_EQ(config.head_dim, 64u);
  EXPECT_EQ(config.vocabulary_size, 49152u);
  EXPECT_EQ(config.context_length, 8192u);
  EXPECT_TRUE(config.has_tied_embedding);
  EXPECT_EQ(config.num_parameters(), 134515008u);  // as its publisher counts
}

}  // namespace
}  // namespace rr
