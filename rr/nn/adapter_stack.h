#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/nn/decoder_config.h"
#include "rr/nn/parameter.h"
#include "rr/weights/lora_adapter.h"

namespace rr {

// Adapters that stand beside a decoder's weights (DecoderOptions::lora), several of them as one of
// all their ranks, which gives their sum:
//
//   s_0 [B_0, s_1 / s_0 B_1, ...] [A_0; A_1; ...] x = sum_i s_i B_i (A_i x)
//
// For weights of 8 and 4 bits: worked into these, most of what was learnt would be rounded away.
class AdapterStack {
 public:
  explicit AdapterStack(const DecoderConfig& config);

  // Copies the adapter. Refused, by name: a module that is no linear layer of the model, other
  // shapes than its own.
  Status add(const LoraAdapter& adapter);

  bool empty() const { return rank_ == 0; }

  // Whether an adapter of that path was added.
  bool has(const std::filesystem::path& path) const;

  // What Decoder::adopt() takes of a decoder with such adapters: A and B of every linear layer,
  // zeros where no adapter has it. Requires that the stack is not empty, and lives on unchanged.
  LoraShape shape() const;
  std::vector<Parameter> parameters();

 private:
  struct Module {
    std::size_t outputs;
    std::size_t inputs;
    std::vector<float> a;  // [rank of all, inputs]
    std::vector<float> b;  // [outputs, rank of all]
  };

  void widen(std::size_t rank);

  std::map<std::string, Module> modules_;  // by "model.layers.0.self_attn.q_proj"
  std::size_t rank_ = 0;
  float scale_ = 1;
  std::vector<std::filesystem::path> paths_;
};

}  // namespace rr
