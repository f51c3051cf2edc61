#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/random.h"
#include "rr/base/utf8.h"
#include "rr/lm/chat_template.h"
#include "rr/lm/tokenizer.h"
#include "rr/train/sft_data.h"
#include "rr/weights/model_files.h"
#include "rr/weights/tensor_file.h"
#include "tests/test_folder.h"

// A model of a few thousand weights on disk, for this room's tests: a Hugging Face folder with a
// tokenizer whose tokens are bytes.

namespace rr::internal {

inline constexpr std::size_t kTinyVocabulary = 258;
inline constexpr TokenId kImStart = 256;
inline constexpr TokenId kImEnd = 257;

// GPT-2's alphabet of bytes, then "<|im_start|>" and "<|im_end|>".
inline Json tiny_tokenizer_json() {
  Json vocabulary = Json::object();
  char32_t next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool shows = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    std::string text;
    append_utf8(text, shows ? static_cast<char32_t>(byte) : next++);
    vocabulary[text] = byte;
  }
  Json tokenizer = {{"added_tokens", Json::array()},
                    {"normalizer", nullptr},
                    {"pre_tokenizer",
                     {{"type", "ByteLevel"},
                      {"add_prefix_space", false},
                      {"trim_offsets", true},
                      {"use_regex", true}}},
                    {"post_processor", nullptr},
                    {"model",
                     {{"type", "BPE"},
                      {"byte_fallback", false},
                      {"vocab", vocabulary},
                      {"merges", Json::array()}}}};
  for (const auto& [id, content] : {std::pair(kImStart, "<|im_start|>"), {kImEnd, "<|im_end|>"}}) {
    tokenizer["added_tokens"].push_back({{"id", id}, {"content", content}, {"special", true}});
  }
  return tokenizer;
}

inline void write_tiny_model(const TestFolder& folder, std::size_t context = 512) {
  constexpr std::size_t kHidden = 32;
  constexpr std::size_t kFfn = 48;
  const Json config = {{"model_type", "qwen3"},
                       {"architectures", {"Qwen3ForCausalLM"}},
                       {"hidden_size", kHidden},
                       {"num_hidden_layers", 2},
                       {"num_attention_heads", 2},
                       {"num_key_value_heads", 1},
                       {"head_dim", 16},
                       {"intermediate_size", kFfn},
                       {"vocab_size", kTinyVocabulary},
                       {"max_position_embeddings", context},
                       {"rms_norm_eps", 1e-6},
                       {"rope_theta", 10000.0},
                       {"eos_token_id", kImEnd},
                       {"tie_word_embeddings", true}};
  folder.write("config.json", config.dump());
  folder.write("tokenizer.json", tiny_tokenizer_json().dump());
  folder.write("tokenizer_config.json", R"({"eos_token": "<|im_end|>"})");
  std::vector<std::vector<float>> values;
  std::vector<TensorToWrite> tensors;
  RandomStream random(1, 1);
  const auto add = [&](const std::string& name, std::vector<std::size_t> shape) {
    const std::size_t columns = shape.back();
    const bool is_norm = shape.size() == 1;
    std::vector<float> numbers(is_norm ? columns : shape[0] * columns);
    for (float& number : numbers) {
      number = is_norm ? 1.0f
                       : static_cast<float>((random.uniform() - 0.5) * 3 /
                                            std::sqrt(static_cast<double>(columns)));
    }
    values.push_back(std::move(numbers));
    tensors.push_back({name, TensorType::kF32, std::move(shape), {}});
  };
  add("model.embed_tokens.weight", {kTinyVocabulary, kHidden});
  for (const char* const layer : {"model.layers.0.", "model.layers.1."}) {
    const std::string at = layer;
    add(at + "input_layernorm.weight", {kHidden});
    add(at + "post_attention_layernorm.weight", {kHidden});
    add(at + "self_attn.q_norm.weight", {16});
    add(at + "self_attn.k_norm.weight", {16});
    add(at + "self_attn.q_proj.weight", {32, kHidden});
    add(at + "self_attn.k_proj.weight", {16, kHidden});
    add(at + "self_attn.v_proj.weight", {16, kHidden});
    add(at + "self_attn.o_proj.weight", {kHidden, 32});
    add(at + "mlp.gate_proj.weight", {kFfn, kHidden});
    add(at + "mlp.up_proj.weight", {kFfn, kHidden});
    add(at + "mlp.down_proj.weight", {kHidden, kFfn});
  }
  add("model.norm.weight", {kHidden});
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].bytes = std::as_bytes(std::span(values[i]));
  }
  RR_CHECK(write_tensor_file(folder / "model.safetensors", tensors).ok(), "a writable disk");
}

// The model, with what makes tokens of texts.
struct TinyModel {
  explicit TinyModel(std::size_t context = 512) {
    write_tiny_model(folder, context);
    files = ModelFiles::open(folder).value();
    tokenizer = Tokenizer::load(*files).value();
  }
  SftTokens tokens() const { return {tokenizer.get(), &chat, kTinyVocabulary}; }

  TestFolder folder;
  std::unique_ptr<ModelFiles> files;
  std::unique_ptr<Tokenizer> tokenizer;
  ChatTemplate chat = ChatTemplate::named("chatml").value();
};

}  // namespace rr::internal
