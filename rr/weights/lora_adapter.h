#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/weights/tensor.h"

namespace rr {

// A linear layer's part of an adapter: W becomes W + scale * B A.
struct LoraModule {
  std::string name;  // "model.layers.0.self_attn.q_proj"
  TensorView a;      // [rank, inputs]
  TensorView b;      // [outputs, rank]
  float scale;
};

// A LoRA adapter as PEFT writes it: a folder with adapter_config.json and
// adapter_model.safetensors. Its tensors live as long as it does.
class LoraAdapter {
 public:
  // Refused, in one sentence: another kind of adapter (DoRA, trained biases, whole modules), A
  // without B, shapes that do not fit each other, tensors that are no adapter's.
  static Result<std::unique_ptr<LoraAdapter>> open(const std::filesystem::path& folder);

  virtual ~LoraAdapter() = default;

  virtual const std::filesystem::path& path() const = 0;
  virtual std::span<const LoraModule> modules() const = 0;
};

// An A or a B to be written: "model.layers.0.self_attn.q_proj.lora_A.weight".
struct LoraTensorToWrite {
  std::string name;
  std::vector<std::size_t> shape;
  std::span<const float> values;
};

// Writes such a folder, in float32. `base_model` is only noted.
Status write_lora_adapter(const std::filesystem::path& folder,
                          std::span<const LoraTensorToWrite> tensors, std::size_t rank,
                          double alpha, const std::string& base_model);

}  // namespace rr
