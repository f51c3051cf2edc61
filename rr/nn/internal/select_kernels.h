#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "rr/nn/decoder.h"
#include "rr/nn/decoder_config.h"
#include "rr/nn/internal/kernels.h"
#include "rr/nn/internal/learning_kernels.h"
#include "rr/nn/internal/linear.h"

// Which of the kernels this machine runs, within isa_limit() (base/cpu.h).

namespace rr::internal {

// The base set, and then the better ones.
std::vector<const RowKernels*> usable_row_kernels();
std::vector<const LearningKernels*> usable_learning_kernels();

// The best, or the base set.
const RowKernels& select_row_kernels(bool force_generic);
const LearningKernels& select_learning_kernels(bool force_generic);

// How a model's products are computed. `learns`: by a learner, whose products go both ways, and by
// the decoder that has to say the same.
ProductFamily select_products(const DecoderConfig& config, Precision precision, bool learns,
                              bool force_generic);

// For reports: "bf16 (AMX)", "int8 (AVX-512 VNNI)".
std::string name_of(ProductFamily family, const RowKernels& kernels);

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

// The way back through what select_attention() chose.
AttentionBackward select_attention_backward(const AttentionKernel& forward, std::size_t head_dim,
                                            const LearningKernels& kernels);

}  // namespace rr::internal
