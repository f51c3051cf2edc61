#pragma once

#include <cstddef>

#include "rr/nn/internal/bf16.h"

namespace rr::internal {

// Weights as oneDNN's bf16 products read them on AVX-512: blocks of `width` outputs, one after the
// other; in each, groups of 32 inputs; in each, [16 pairs of inputs][width outputs][2]. oneDNN's
// own reorder writes the same bits, from rows alone and more slowly.
struct PairBlocks {
  std::size_t num_outputs;  // in whole blocks
  std::size_t num_inputs;   // a multiple of 32
  std::size_t width;        // a multiple of 16
};

// weight: [num_outputs, num_inputs]. Requires AVX512_BF16, as below.
void pack_pair_blocks(const PairBlocks& blocks, const float* weight, Bf16* packed);

// The same from its transpose: rows[input] has [num_outputs].
void pack_columns_in_pair_blocks(const PairBlocks& blocks, const float* const* rows, Bf16* packed);

}  // namespace rr::internal
