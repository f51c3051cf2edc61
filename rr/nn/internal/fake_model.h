#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "rr/nn/decoder_config.h"
#include "rr/weights/model_files.h"

namespace rr::internal {

// A model in memory, for tests: what a file would say, without a file.
class FakeModel : public ModelFiles {
 public:
  FakeModel(Format format, Json metadata)
      : format_(format), metadata_(std::move(metadata)), path_("fake") {}

  Format format() const override { return format_; }
  const std::filesystem::path& path() const override { return path_; }
  std::span<const TensorView> tensors() const override { return tensors_; }
  std::span<const LeftOutTensor> left_out() const override { return {}; }
  const Json& metadata() const override { return metadata_; }
  Result<std::optional<std::string>> read_side_file(std::string_view) const override {
    return std::optional<std::string>();
  }

  void add(const std::string& name, std::vector<std::size_t> shape, std::vector<float> values) {
    const auto& kept = values_[name] = std::move(values);
    tensors_.push_back({name, TensorType::kF32, std::move(shape), std::as_bytes(std::span(kept))});
    index_tensors();
  }
  void remove(const std::string& name) {
    std::erase_if(tensors_, [&](const TensorView& tensor) { return tensor.name == name; });
    index_tensors();
  }
  std::vector<float>& values(const std::string& name) { return values_.at(name); }

 private:
  Format format_;
  Json metadata_;
  std::filesystem::path path_;
  std::map<std::string, std::vector<float>> values_;
  std::vector<TensorView> tensors_;
};

// Numbers without meaning, about normal in size, the same in every run.
inline std::vector<float> some_floats(std::size_t count, unsigned seed, float scale = 1) {
  std::vector<float> values(count);
  unsigned state = seed * 2654435761u + 12345u;
  for (float& value : values) {
    float sum = 0;  // of four uniform numbers: near enough to normal
    for (int i = 0; i < 4; ++i) {
      state = state * 1664525u + 1013904223u;
      sum += static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
    }
    value = sum * 1.7f * scale;
  }
  return values;
}

// A Hugging Face configuration of a small model. Sizes fill AMX tiles, a learner's as well.
inline Json small_config(const std::string& model_type) {
  return {{"model_type", model_type}, {"hidden_size", 64},        {"num_hidden_layers", 2},
          {"num_attention_heads", 4}, {"num_key_value_heads", 2}, {"head_dim", 32},
          {"intermediate_size", 160}, {"vocab_size", 320},        {"max_position_embeddings", 2048},
          {"rms_norm_eps", 1e-6},     {"rope_theta", 10000.0},    {"tie_word_embeddings", false}};
}

// A model with weights for the configuration, named as Hugging Face names them.
inline FakeModel small_model(const Json& json) {
  FakeModel model(ModelFiles::Format::kHuggingFace, json);
  const DecoderConfig config = read_decoder_config(model).value();
  const std::size_t hidden = config.hidden_size;
  const std::size_t q = config.num_heads * config.head_dim;
  const std::size_t kv = config.num_kv_heads * config.head_dim;
  unsigned seed = 0;
  const auto matrix = [&](const std::string& name, std::size_t rows, std::size_t columns) {
    const float scale = 1.0f / std::sqrt(static_cast<float>(columns));
    model.add(name, {rows, columns}, some_floats(rows * columns, ++seed, scale));
  };
  const auto vector = [&](const std::string& name, std::size_t size) {
    model.add(name, {size}, some_floats(size, ++seed));
  };
  matrix("model.embed_tokens.weight", config.vocabulary_size, hidden);
  for (std::size_t i = 0; i < config.num_layers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    vector(layer + "input_layernorm.weight", hidden);
    vector(layer + "post_attention_layernorm.weight", hidden);
    matrix(layer + "self_attn.q_proj.weight", q, hidden);
    matrix(layer + "self_attn.k_proj.weight", kv, hidden);
    matrix(layer + "self_attn.v_proj.weight", kv, hidden);
    matrix(layer + "self_attn.o_proj.weight", hidden, q);
    if (config.has_qkv_bias) {
      vector(layer + "self_attn.q_proj.bias", q);
      vector(layer + "self_attn.k_proj.bias", kv);
      vector(layer + "self_attn.v_proj.bias", kv);
    }
    if (config.has_qk_norm) {
      vector(layer + "self_attn.q_norm.weight", config.head_dim);
      vector(layer + "self_attn.k_norm.weight", config.head_dim);
    }
    matrix(layer + "mlp.gate_proj.weight", config.ffn_size, hidden);
    matrix(layer + "mlp.up_proj.weight", config.ffn_size, hidden);
    matrix(layer + "mlp.down_proj.weight", hidden, config.ffn_size);
  }
  vector("model.norm.weight", hidden);
  if (!config.has_tied_embedding) matrix("lm_head.weight", config.vocabulary_size, hidden);
  return model;
}

}  // namespace rr::internal
