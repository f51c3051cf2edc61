// The table of LearningKernels for the instruction set that the including file is compiled for.
// Includes nothing that could leave an inline function of this instruction set to the rest of the
// program.

#pragma once

#include "rr/nn/internal/attention_learning.h"
#include "rr/nn/internal/cross_entropy.h"
#include "rr/nn/internal/learning_kernels.h"
#include "rr/nn/internal/rms_norm_backward.h"
#include "rr/nn/internal/swiglu_backward.h"

namespace rr::internal {

static inline LearningKernels make_learning_kernels(const char* name) {
  LearningKernels table{};
  table.name = name;
  table.rms_norm_backward = rms_norm_backward;
  table.swiglu_backward_f32 = swiglu_backward<float>;
  table.swiglu_backward_bf16 = swiglu_backward<Bf16>;
  table.softmax_terms = softmax_terms;
  table.softmax_gradient_f32 = softmax_gradient<float>;
  table.softmax_gradient_bf16 = softmax_gradient<Bf16>;
  table.attention = {key_tile_bytes, attention_learning_bytes, pack_key_tile,
                     attend_learning_backward};
  return table;
}

}  // namespace rr::internal
