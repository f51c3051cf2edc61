#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "rr/nn/decoder_config.h"
#include "rr/nn/internal/batch.h"
#include "rr/nn/internal/decoder_weights.h"
#include "rr/nn/internal/kv_sequence.h"
#include "rr/nn/internal/select_kernels.h"
#include "rr/nn/internal/team.h"

namespace rr::internal {

// How a decoder computes, chosen when it is loaded.
struct Engine {
  ProductFamily family;
  Element activation;  // what products take in
  const RowKernels* kernels;
  AttentionKernel attention;
  KvShape kv;
};

// What one thread works in: reused by all layers and passes.
struct Worker {
  ProductScratch products;
  AlignedBuffer normed;   // [128, hidden], activations
  AlignedBuffer product;  // [128, outputs of a panel]
  AlignedBuffer qkv;      // [128, (heads + 2 kv_heads) * head_dim]
  AlignedBuffer ffn;      // [128, ffn], activations
  AlignedBuffer queries;  // one attention tile
  AlignedBuffer attention_scratch;
  AlignedBuffer segment;  // results of a segment: out, max, sum
  AlignedBuffer total;    // of all segments so far
  std::vector<std::size_t> visible;
  std::vector<const std::byte*> keys;
  std::vector<const std::byte*> values;
};

// What all threads share in a pass.
struct SharedBuffers {
  AlignedBuffer x;         // residual stream [rows, hidden] float32
  AlignedBuffer cosines;   // [rows, head_dim / 2]
  AlignedBuffer sines;     // the same
  AlignedBuffer qkv;       // [128, (heads + 2 kv_heads) * head_dim], small batches only
  AlignedBuffer queries;   // [rows, heads * head_dim] float32
  AlignedBuffer attended;  // [rows padded, heads * head_dim], activations
  AlignedBuffer ffn;       // [128, ffn], activations, small batches only
  AlignedBuffer segments;  // results of the batch's tiles
  AlignedBuffer wanted;    // [wanted rows padded, hidden], activations
};

// Bytes that Worker and SharedBuffers take for a pass of so many rows, all of them with logits.
std::size_t scratch_bytes(const DecoderConfig& config, ProductFamily family, std::size_t max_rows,
                          std::size_t num_threads);

// Results of an attention segment lie in one piece of floats: out [rows padded, head_dim], then
// max [rows padded], then sum [rows padded].
constexpr std::size_t segment_result_floats(std::size_t rows, std::size_t head_dim) {
  return padded_attention_rows(rows) * (head_dim + 2);
}

// Such a result, or some rows of it.
struct SegmentResult {
  float* out;
  float* max;
  float* sum;

  // Rows from `first_row` on of the result of `rows` rows at `floats`.
  static SegmentResult at(float* floats, std::size_t rows, std::size_t head_dim,
                          std::size_t first_row = 0) {
    float* const max = floats + padded_attention_rows(rows) * head_dim;
    float* const sum = max + padded_attention_rows(rows);
    return {floats + first_row * head_dim, max + first_row, sum + first_row};
  }
};

// One pass of a batch through the model.
//
// A small batch (up to 128 rows) is bound by reading the weights: threads share each product by
// panels of its weight. A large one is bound by arithmetic: threads take blocks of rows, and carry
// each from the attention's output to the next layer's queries without waiting for the others. Of
// its last layer only the rows whose logits are wanted are worked out: nobody reads the others.
class ForwardPass {
 public:
  ForwardPass(const DecoderConfig& config, const DecoderWeights& weights, const Engine& engine,
              const Batch& batch, SharedBuffers& shared, std::span<Worker> workers, float* logits);

  // What each thread of the team does.
  void run(Team::Member& member);

 private:
  struct RowBlock {
    std::size_t first;
    std::size_t count;
  };

  void embed(Team::Member& member);
  void run_small(Team::Member& member);
  void run_large(Team::Member& member);
  void run_last_layer(Team::Member& member);
  void write_logits(Team::Member& member);

  void norm_rows(const float* weight, RowBlock block, void* out) const;
  void project_qkv(std::size_t layer, RowBlock block, Worker& worker);
  void finish_qkv_row(std::size_t layer, std::size_t row, float* qkv);
  void write_row_kv(std::size_t layer, std::size_t row, const float* keys, const float* values);
  void multiply_and_add(const Linear& linear, std::size_t panel, const void* in, RowBlock block,
                        const std::vector<float>& bias, Worker& worker);
  void run_ffn(std::size_t layer, RowBlock block, Worker& worker);
  void multiply_gate_up(const LayerWeights& weights, std::size_t panel, std::size_t rows,
                        const void* in, std::byte* out, Worker& worker);

  enum class Rows { kAll, kWanted };
  void attend(std::size_t layer, Rows rows, Team::Member& member);
  void attend_tile(std::size_t layer, const SegmentTile& tile, float* result, Worker& worker);
  void attend_task(std::size_t layer, const AttentionTask& task, Worker& worker);
  void attend_segment(std::size_t layer, const AttentionTask& task, std::size_t segment,
                      std::size_t num_rows, float* result, Worker& worker);
  void gather_queries(const AttentionTask& task, std::size_t first_row, Worker& worker);
  void pad_queries(std::size_t num_rows, Worker& worker);
  void merge(std::size_t num_rows, const SegmentResult& result, const SegmentResult& total) const;
  void write_attended(const AttentionTask& task, const SegmentResult& total);

  std::size_t task_rows(const AttentionTask& task) const {
    return task.num_positions * heads_per_kv_head_;
  }
  std::size_t result_floats() const;
  float* tile_result(std::size_t tile) const {
    return shared_.segments.data<float>() + tile * result_floats();
  }
  std::byte* attended_row(std::size_t row) const {
    return shared_.attended.data() + row * q_size_ * element_bytes(engine_.activation);
  }
  float* x_row(std::size_t row) const { return shared_.x.data<float>() + row * hidden_; }
  bool is_small() const;

  const DecoderConfig& config_;
  const DecoderWeights& weights_;
  const Engine& engine_;
  const RowKernels& kernels_;
  const Batch& batch_;
  SharedBuffers& shared_;
  std::span<Worker> workers_;
  float* logits_;

  std::size_t num_rows_;
  std::size_t hidden_;
  std::size_t q_size_;
  std::size_t qkv_size_;
  std::size_t heads_per_kv_head_;
};

}  // namespace rr::internal
