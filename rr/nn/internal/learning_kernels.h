#pragma once

#include <cstddef>

#include "rr/nn/internal/bf16.h"

namespace rr::internal {

struct KeyRows;
struct QueryGroup;

// The way back through attention (attention_learning.h): how tiles of keys and values are packed
// for it, once a layer, and what some tiles of queries do.
struct AttentionBackward {
  std::size_t (*key_tile_bytes)(std::size_t head_dim);
  std::size_t (*scratch_bytes)(std::size_t head_dim);
  void (*pack_key_tile)(const KeyRows& rows, std::size_t head_dim, std::byte* packed);
  void (*run)(const QueryGroup& group);
};

// The gradients' operations on rows and tiles, compiled for one instruction set as RowKernels are
// (kernels.h): what each does is said where it is written (rms_norm_backward.h, ...).
struct LearningKernels {
  const char* name;  // of the instruction set
  void (*rms_norm_backward)(const float* row, const float* weight, float epsilon, std::size_t size,
                            const float* g, float* d_row, float* d_weight);
  void (*swiglu_backward_f32)(const float* gate, const float* up, const float* g, std::size_t size,
                              float* d_gate, float* d_up);
  void (*swiglu_backward_bf16)(const Bf16* gate, const Bf16* up, const float* g, std::size_t size,
                               Bf16* d_gate, Bf16* d_up);
  void (*softmax_terms)(const float* logits, std::size_t size, float* top, float* sum);
  void (*softmax_gradient_f32)(const float* logits, std::size_t size, float top, float sum,
                               std::size_t target, float slope, float* out);
  void (*softmax_gradient_bf16)(const float* logits, std::size_t size, float top, float sum,
                                std::size_t target, float slope, Bf16* out);
  AttentionBackward attention;  // in float32
};

const LearningKernels& baseline_learning_kernels();

// On x86-64 alone.
const LearningKernels& avx2_learning_kernels();    // requires AVX2 and FMA
const LearningKernels& avx512_learning_kernels();  // requires AVX-512 F, BW, DQ, VL

// With products in bf16, of heads of whole groups of 32. On x86-64 alone.
AttentionBackward avx512_bf16_attention_backward();  // requires AVX512_BF16
AttentionBackward amx_bf16_attention_backward();     // and AMX-BF16

}  // namespace rr::internal
