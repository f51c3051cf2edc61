#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/base/thread_pool.h"
#include "rr/nn/decoder_config.h"
#include "rr/nn/internal/adapted_linear.h"
#include "rr/nn/internal/aligned_buffer.h"
#include "rr/nn/internal/linear.h"
#include "rr/nn/parameter.h"
#include "rr/weights/model_files.h"

namespace rr::internal {

// The weights of one layer. Products that read the same input are one: q, k and v; gate and up.
struct LayerWeights {
  std::vector<float> attention_norm;  // [hidden]
  std::vector<float> ffn_norm;        // [hidden]
  std::vector<float> q_norm;          // [head_dim], empty without
  std::vector<float> k_norm;          // [head_dim], empty without
  std::vector<float> qkv_bias;        // [(heads + 2 * kv_heads) * head_dim], empty without
  std::vector<float> output_bias;     // [hidden], empty without

  std::unique_ptr<Linear> qkv;               // rows of q, then k, then v; q and k half-split
  std::unique_ptr<Linear> attention_output;  // [hidden, heads * head_dim]
  std::unique_ptr<Linear> gate_up;           // each panel: rows of gate, then the same rows of up
  std::unique_ptr<Linear> down;              // [hidden, ffn]
};

// What became of a tensor of the file, named as Hugging Face has it, for those who change it later.
struct LoadedVector {
  std::string name;
  float* values;
  std::size_t size;
};
struct LoadedPanel {
  Linear* linear;
  std::size_t panel;
  std::vector<TensorRows> rows;
};

struct DecoderWeights {
  std::vector<LayerWeights> layers;
  std::vector<float> output_norm;  // [hidden]
  std::unique_ptr<Linear> output;  // [vocabulary, hidden]
  AlignedBuffer embedding;  // [vocabulary, hidden]; empty where the output layer is the embedding
  Element embedding_element = Element::kF32;

  std::vector<LoadedVector> vectors;
  std::vector<LoadedPanel> panels;
  std::vector<AdaptedLinear*> adapted;  // empty without adapters

  // One token's embedding: [hidden].
  void embed(std::size_t id, std::size_t hidden_size, float* out) const;

  // What Decoder::adopt() says.
  void adopt(std::span<const Parameter> parameters, ThreadPool& pool);

 private:
  void adopt_adapters(std::span<const Parameter> parameters, ThreadPool& pool);
  void adopt_tensors(std::span<const Parameter> parameters, ThreadPool& pool);
  void store_embedding(std::size_t id, std::span<const float> row);
  friend class DecoderWeightsLoader;
};

// Which adapters stand beside the weights.
struct AdapterChoice {
  LoraShape shape;
  AdapterProducts* products;  // must outlive the weights
};

// Reads all weights that the configuration speaks of, converting and packing tensor by tensor on
// all threads. Refuses by name a tensor that is missing, of another shape, or not finite, and a
// bias that the configuration does not know.
Result<DecoderWeights> load_weights(const ModelFiles& files, const DecoderConfig& config,
                                    ProductFamily family, ProductCache& cache,
                                    const std::optional<AdapterChoice>& adapters,
                                    const RowKernels& kernels, ThreadPool& pool);

// Outputs of each panel of a linear layer, for so many threads: whole columns of oneDNN's tiles,
// small enough for a core's cache, and as many as keep all threads busy.
std::vector<std::size_t> panel_outputs(std::size_t num_outputs, std::size_t num_threads,
                                       std::size_t multiple);

}  // namespace rr::internal
