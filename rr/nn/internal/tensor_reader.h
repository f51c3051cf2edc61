#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/nn/decoder_config.h"
#include "rr/nn/internal/quantised_linear.h"
#include "rr/weights/model_files.h"

namespace rr::internal {

// What a tensor is called in the two kinds of files, without its layer.
struct TensorName {
  const char* gguf;
  const char* hugging_face;
};
constexpr TensorName kEmbedding = {"token_embd.weight", "model.embed_tokens.weight"};
constexpr TensorName kOutputNorm = {"output_norm.weight", "model.norm.weight"};
constexpr TensorName kOutput = {"output.weight", "lm_head.weight"};
constexpr TensorName kAttentionNorm = {"attn_norm.weight", "input_layernorm.weight"};
constexpr TensorName kFfnNorm = {"ffn_norm.weight", "post_attention_layernorm.weight"};
constexpr TensorName kQ = {"attn_q", "self_attn.q_proj"};
constexpr TensorName kK = {"attn_k", "self_attn.k_proj"};
constexpr TensorName kV = {"attn_v", "self_attn.v_proj"};
constexpr TensorName kO = {"attn_output", "self_attn.o_proj"};
constexpr TensorName kQNorm = {"attn_q_norm.weight", "self_attn.q_norm.weight"};
constexpr TensorName kKNorm = {"attn_k_norm.weight", "self_attn.k_norm.weight"};
constexpr TensorName kGate = {"ffn_gate.weight", "mlp.gate_proj.weight"};
constexpr TensorName kUp = {"ffn_up.weight", "mlp.up_proj.weight"};
constexpr TensorName kDown = {"ffn_down.weight", "mlp.down_proj.weight"};

// Rows of a tensor, some of them possibly in the order of interleaved rotary pairs: a GGUF file of
// architecture "llama" has the pair (i, half + i) of a head in rows 2i and 2i + 1.
struct RowSource {
  const TensorView* tensor;
  std::size_t interleaved_head_dim = 0;  // 0: rows stand as they are used

  std::size_t file_row(std::size_t row) const {
    if (interleaved_head_dim == 0) return row;
    const std::size_t half = interleaved_head_dim / 2;
    const std::size_t in_head = row % interleaved_head_dim;
    return row - in_head + 2 * (in_head % half) + in_head / half;
  }
};

bool is_finite(const float* values, std::size_t count);

// The tensors of a decoder, by what they are: names of the file's format, shapes held against the
// configuration. `files` and `config` must outlive the reader.
class TensorReader {
 public:
  TensorReader(const ModelFiles& files, const DecoderConfig& config);

  // "model.norm.weight", "blk.3.attn_q.bias": as this file calls it.
  std::string name(const TensorName& tensor) const;
  std::string name(std::size_t layer, const TensorName& tensor, const char* ending = "") const;

  // The tensor of that name and shape; refused by name where it is missing, left out or of another
  // shape.
  Result<const TensorView*> find(const std::string& tensor_name, std::vector<std::size_t> shape);

  // A vector as it is used: rotary pairs half-split.
  Result<std::vector<float>> vector_of(const std::string& tensor_name, std::size_t size,
                                       std::size_t interleaved_head_dim = 0);

  // One row as floats, refused by name where it is not finite. `row` as it is used.
  Status read_row(const RowSource& source, std::size_t row, std::span<float> out) const;

  // One row as int4 keeps it: the file's own blocks where they are Q4_0 or Q4_1, otherwise the
  // nearest. Requires a row of whole blocks. As read_row().
  Status read_int4_row(const RowSource& source, std::size_t row, std::span<Int4Block> out) const;

  // Of the rows of q and k: GGUF permutes those of architecture "llama" only.
  std::size_t interleaved_head_dim() const;

  // A bias in the file that nobody asked for would change what the model says.
  Status refuse_unknown_biases() const;

 private:
  std::string where() const { return files_.path().string(); }

  const ModelFiles& files_;
  const DecoderConfig& config_;
  bool is_gguf_;
  std::set<std::string> used_;
};

}  // namespace rr::internal
