#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rr/nn/internal/learned_linear.h"
#include "rr/nn/learner.h"

namespace rr::internal {

// A vector or a matrix that lies still in memory. The gradient is null where it does not learn.
struct LearnedTensor {
  float* values = nullptr;
  float* gradient = nullptr;

  bool exists() const { return values != nullptr; }
};

struct LearnedLayer {
  LearnedTensor attention_norm;  // [hidden]
  LearnedTensor ffn_norm;        // [hidden]
  LearnedTensor q_norm;          // [head_dim], or none
  LearnedTensor k_norm;          // [head_dim], or none
  LearnedTensor qkv_bias;        // [(heads + 2 * kv_heads) * head_dim], or none
  LearnedTensor output_bias;     // [hidden], or none

  std::unique_ptr<LearnedLinear> qkv;
  std::unique_ptr<LearnedLinear> attention_output;
  std::unique_ptr<LearnedLinear> gate_up;  // all rows of gate, then all of up
  std::unique_ptr<LearnedLinear> down;
};

// Elements of the linear layers of all decoder layers.
struct LinearSizes {
  std::size_t weights = 0;
  std::size_t adapters = 0;  // of rank 1
};
LinearSizes linear_sizes(const DecoderConfig& config);

// How many numbers learn: all weights, or those of the adapters.
std::size_t num_learnt(const DecoderConfig& config, const std::optional<LoraShape>& lora);

// The weights of a decoder that learns. Without adapters every tensor is a parameter in float32,
// packed again after each change; with them the weights are packed once, quantised ones straight
// from the file, and only A and B stay in float32.
class LearnerWeights {
 public:
  // `products` must outlive the weights.
  static Result<std::unique_ptr<LearnerWeights>> load(const ModelFiles& files,
                                                      const DecoderConfig& config,
                                                      const LearnerOptions& options,
                                                      LearningProducts& products, Crew& crew);

  LearnerWeights(const LearnerWeights&) = delete;
  LearnerWeights& operator=(const LearnerWeights&) = delete;

  // Packs what has changed: all weights, or the adapters.
  void pack(Crew& crew);

  // Whether products on the way forward have their adapters' share.
  void set_adapters_on(bool on);

  // One token's embedding as it enters the first layer: [hidden].
  void embed(std::size_t id, float* out) const;

  std::vector<Parameter> parameters;
  std::vector<std::size_t> layer_starts;  // the first parameter of each layer; then what follows
  std::vector<LearnedLayer> layers;
  LearnedTensor output_norm;
  LearnedTensor embedding;  // [vocabulary, hidden]; values null where it does not learn
  std::unique_ptr<LearnedLinear> output;

 private:
  class Loader;
  LearnerWeights() = default;

  std::size_t hidden_ = 0;
  bool has_adapters_ = false;
  bool rounds_embedding_ = false;
  AlignedBuffer frozen_embedding_;  // bf16 or float32; of an untied model with adapters
  AlignedBuffer gradients_;         // of all parameters, in their order
  std::deque<AlignedBuffer> storage_;
};

}  // namespace rr::internal
