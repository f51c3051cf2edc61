#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "rr/nn/internal/attention_learning.h"
#include "rr/nn/internal/crew.h"
#include "rr/nn/internal/learner_attention.h"
#include "rr/nn/internal/learner_layout.h"
#include "rr/nn/internal/learner_weights.h"
#include "rr/nn/internal/select_kernels.h"

namespace rr::internal {

// On the way back a head's tiles of queries are taken by turns into so many shares, for more
// threads and equal ones; each share has its own gradients of keys and values.
constexpr std::size_t kQueryShares = 2;

// What a layer computed on its way forward and the way back reads. Rows are padded with zeros to
// whole blocks (weight_gradient.h); "activations" are floats or bf16. Of the last layer attended_in
// and what follows have only the rows that targets are predicted from.
struct LayerActivations {
  AlignedBuffer normed;    // [rows, hidden] activations: in of q, k, v
  AlignedBuffer raw_qkv;   // [rows, qkv] float32, before the norms of heads; only where there are
  AlignedBuffer qkv;       // [rows, qkv] float32, as attention takes them
  AlignedBuffer log_sums;  // [heads, rows] float32, of attention
  AlignedBuffer attended;  // [rows, heads * head_dim] float32
  AlignedBuffer attended_in;  // the same as activations: in of the output projection
  AlignedBuffer middle;       // [rows, hidden] float32, the residual stream after attention
  AlignedBuffer ffn_normed;   // [rows, hidden] activations: in of gate and up
  AlignedBuffer gate_up;      // [rows, 2 * ffn] activations
  AlignedBuffer ffn;          // [rows, ffn] activations: in of down
  AlignedBuffer low_qkv;      // what adapters leave between A and B
  AlignedBuffer low_output;
  AlignedBuffer low_gate_up;
  AlignedBuffer low_down;
};

// Buffers that live from batch to batch.
struct LearnerBuffers {
  std::vector<AlignedBuffer> streams;    // [rows, hidden] float32: into each layer; out of the last
  std::vector<LayerActivations> layers;  // of the layers that keep theirs; the last is shared
  AlignedBuffer cosines;                 // [rows, head_dim / 2]
  AlignedBuffer sines;                   // the same
  AlignedBuffer negative_sines;          // the same
  AlignedBuffer gate_up;                 // [rows, 2 * ffn] float32, before they are rounded
  AlignedBuffer blocks;                  // keys and values of a layer, for attention's way forward
  AlignedBuffer key_tiles;               // [kv_heads, tiles], packed for attention's way back
  AlignedBuffer d_stream;                // [rows, hidden] float32
  AlignedBuffer d_in;                    // [rows, widest in] float32, of a product's input
  AlignedBuffer d_qkv;                   // [rows, qkv] float32
  AlignedBuffer d_heads;  // [heads, kQueryShares, rows, 2 * head_dim] float32, keys and values
  AlignedBuffer g;        // [rows, widest out] activations, of a product's output
  AlignedBuffer d_low;
  AlignedBuffer sums;         // [blocks of rows, widest vector] float32
  AlignedBuffer target_in;    // [targets of a chunk, hidden] activations
  AlignedBuffer target_d_in;  // [targets of a chunk, hidden] float32
  AlignedBuffer logits;       // [targets of a chunk, vocabulary] float32
  AlignedBuffer target_g;     // the same as activations
  AlignedBuffer low_target;
};

// Bytes of one layer's LayerActivations, and of everything else, at so many rows.
std::size_t layer_activation_bytes(const DecoderConfig& config, Element element, std::size_t rows,
                                   std::size_t lora_rank);
std::size_t learner_buffer_bytes(const DecoderConfig& config, Element element, std::size_t rows);

// Bytes of a gradient in bf16 on its way back through quantised weights (learned_linear.h).
std::size_t widened_gradient_bytes(const DecoderConfig& config, std::size_t rows);

// One batch through the model and back.
//
// Everything that is done row by row is cut into blocks of rows that do not follow the number of
// threads, and what is summed over rows is summed block by block: results do not depend on threads.
// A layer whose activations are not kept computes them again from its input on the way back. The
// last layer works out, from its attention on, only the rows that targets are predicted from.
class LearnerPass {
 public:
  struct Engine {
    const RowKernels& kernels;
    const LearningKernels& learning;
    Element element;  // of activations
    AttentionKernel attention;
    AttentionBackward attention_backward;
  };

  // Everything must outlive the pass. `kept_layers`: how many of the first layers keep theirs.
  LearnerPass(const DecoderConfig& config, const LearnerWeights& weights, const Engine& engine,
              const LearnerLayout& layout, std::size_t kept_layers, LearnerBuffers& buffers,
              Crew& crew);

  std::vector<float> evaluate();

  // `run_targets` is called once between forward and backward: it has to run run_targets() of this
  // pass with the slopes, and returns what learn() is to return.
  std::vector<float> learn(const std::function<std::vector<float>()>& run_targets,
                           const GradientListener& on_complete);

  // Log-probabilities of the targets, chunk by chunk; with a slope, gradients into d_stream and the
  // output layer.
  std::vector<float> run_targets(const LossSlope* slope);

 private:
  // Rows of matrices that hold some of the batch's, one after another.
  struct RowSet {
    std::size_t count;
    const std::size_t* rows;  // of the batch, in order; null: all of them

    std::size_t operator[](std::size_t i) const { return rows == nullptr ? i : rows[i]; }
  };

  template <typename Task>
  void for_rows(std::size_t count, const Task& task);  // task(first row, end row, block, scratch)
  template <typename Task>
  void for_rows_summing(std::size_t count, std::size_t width, float* gradient, const Task& task);

  void reserve();
  void clear_padding(AlignedBuffer& buffer, std::size_t rows, std::size_t row_bytes) const;

  bool is_last(std::size_t layer) const { return layer + 1 == config_.num_layers; }
  RowSet rows_after_attention(std::size_t layer) const;
  void spread(const RowSet& rows, std::size_t width, AlignedBuffer& buffer) const;

  void embed();
  void run_layer(std::size_t i, LayerActivations& kept);
  void finish_layer(std::size_t i, LayerActivations& kept);
  void norm(const float* stream, const LearnedTensor& weight, std::size_t rows, AlignedBuffer& out);
  void finish_qkv(const LearnedLayer& layer, LayerActivations& kept);
  void attend(std::size_t layer, LayerActivations& kept);
  void add_to_stream(const float* stream, const LearnedTensor& bias, const float* added,
                     const RowSet& rows, float* out);
  void run_swiglu(const LearnedLayer& layer, std::size_t rows, LayerActivations& kept);

  void back_through_layer(std::size_t i, LayerActivations& kept);
  void back_through_ffn(const LearnedLayer& layer, std::size_t rows, LayerActivations& kept);
  void back_through_attention(std::size_t i, LayerActivations& kept);
  void back_through_norm(const float* stream, const LearnedTensor& weight, std::size_t rows);
  void back_through_heads(const LearnedLayer& layer, LayerActivations& kept);
  void attend_backward(std::size_t layer, LayerActivations& kept);
  void add_bias_gradient(const float* g, std::size_t rows, std::size_t width,
                         const LearnedTensor& bias);
  void to_activations(const float* from, const RowSet& rows, std::size_t width, AlignedBuffer& to);
  void back_through_embedding();

  void norm_targets(std::size_t first, std::size_t count);
  void back_through_targets(std::size_t first, std::size_t count);

  KeyRows key_rows(const LayerActivations& kept, std::size_t tile, std::size_t kv_head) const;
  std::byte* packed_tile(std::size_t tile, std::size_t kv_head) const;
  void pack_keys(const LayerActivations& kept);
  std::vector<KeyTile> key_tiles(const LayerActivations& kept, const SegmentLayout& segment,
                                 std::size_t head, std::size_t share);
  QueryTile query_tile(LayerActivations& kept, const SegmentLayout& segment, std::size_t own_tile,
                       std::size_t head, const std::vector<KeyTile>& tiles);

  std::size_t hidden() const { return config_.hidden_size; }
  std::size_t q_size() const { return config_.num_heads * config_.head_dim; }
  std::size_t kv_size() const { return config_.num_kv_heads * config_.head_dim; }
  std::size_t qkv_size() const { return q_size() + 2 * kv_size(); }
  float* d_head(std::size_t head, std::size_t share, std::size_t row) const {
    return buffers_.d_heads.data<float>() +
           ((head * kQueryShares + share) * padded_ + row) * 2 * config_.head_dim;
  }

  const DecoderConfig& config_;
  const LearnerWeights& weights_;
  const Engine& engine_;
  const LearnerLayout& layout_;
  LearnerAttention attention_;
  std::size_t kept_layers_;
  LearnerBuffers& buffers_;
  Crew& crew_;
  std::size_t rows_;
  std::size_t padded_;
};

}  // namespace rr::internal
