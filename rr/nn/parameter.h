#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace rr {

// Low-rank adapters (Hu et al., arXiv 2106.09685) on all seven linear layers of every decoder
// layer, as PEFT has them: W x + alpha / rank * B (A x), A [rank, inputs], B [outputs, rank].
struct LoraShape {
  std::size_t rank = 16;
  float alpha = 16;
};

// A tensor that learns. Named and laid out as Hugging Face has it (adapters: as PEFT, without its
// prefix: "model.layers.0.self_attn.q_proj.lora_A.weight"); q and k in the half-split rotary
// layout.
struct Parameter {
  std::string name;
  std::vector<std::size_t> shape;
  std::span<float> values;
  std::span<float> gradient;

  bool is_matrix() const { return shape.size() == 2; }
};

}  // namespace rr
