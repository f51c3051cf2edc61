#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/weights/model_files.h"

namespace rr {

// Rotary position embedding: the angle of pair i at position p is p * inverse_frequencies[i].
// Scalings are already worked in: llama3 (Llama-3.1) and YaRN (arXiv 2309.00071) change the
// frequencies, YaRN also multiplies cosine and sine by `attention_factor`.
struct Rope {
  std::vector<float> inverse_frequencies;  // [head_dim / 2]
  float attention_factor = 1;
  std::string scaling = "default";  // "default", "linear", "llama3", "yarn": for `model info`
};

// The shape of a decoder of the Llama family (Llama, Qwen2, Qwen3): pre-norm RMS, rotary positions,
// grouped-query attention, SwiGLU.
struct DecoderConfig {
  std::string architecture;  // "llama", "qwen2", "qwen3"
  std::size_t num_layers = 0;
  std::size_t hidden_size = 0;
  std::size_t num_heads = 0;
  std::size_t num_kv_heads = 0;  // divides num_heads
  std::size_t head_dim = 0;      // even; apart from hidden_size / num_heads in Qwen3
  std::size_t ffn_size = 0;
  std::size_t vocabulary_size = 0;  // rows of the embedding
  std::size_t context_length = 0;
  float rms_epsilon = 0;
  bool has_qkv_bias = false;
  bool has_output_bias = false;  // of the attention's output projection (Llama's attention_bias)
  bool has_qk_norm = false;
  bool has_tied_embedding = false;  // the output layer is the embedding
  Rope rope;

  std::size_t num_parameters() const;
};

// From GGUF metadata or config.json of both generations (rope_theta + rope_scaling,
// rope_parameters). An architecture outside the family, and anything of the configuration that
// would change the result and is not supported (a sliding window in use, an unknown rope scaling,
// an MLP bias), is refused by name. Sizes are checked for sense, not against the tensors:
// Decoder::load does that.
Result<DecoderConfig> read_decoder_config(const ModelFiles& files);

}  // namespace rr
