#pragma once

#include <cstddef>
#include <vector>

#include "rr/nn/internal/kernels.h"
#include "rr/nn/internal/learning_kernels.h"

// Which of the kernels this machine runs, within isa_limit() (base/cpu.h).

namespace rr::internal {

// The base set, and then the better ones.
std::vector<const RowKernels*> usable_row_kernels();
std::vector<const LearningKernels*> usable_learning_kernels();

// The best, or the base set.
const RowKernels& select_row_kernels(bool force_generic);
const LearningKernels& select_learning_kernels(bool force_generic);

// How attention is computed, and what it takes in.
struct AttentionKernel {
  Element queries;
  Element keys;  // and values
  WriteKv write_kv;
  Attend attend;
};

// The best one for models whose products take `activation` in. Decoder and learner take the same.
AttentionKernel select_attention(Element activation, Element keys, std::size_t head_dim,
                                 const RowKernels& kernels);

}  // namespace rr::internal
