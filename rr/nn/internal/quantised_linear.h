#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "rr/nn/internal/linear.h"
#include "rr/nn/internal/quantised_layout.h"

namespace rr::internal {

// 32 weights of one output as int4 keeps them: w = d * q + m, d and m in half precision.
struct Int4Block {
  std::uint16_t d = 0;
  std::uint16_t m = 0;
  std::array<std::uint8_t, kQuantBlock> q = {};  // 0..15
};

// The block nearest to these weights, at most 32; the others of the block become m or what is next
// to it. Requires finite weights that half precision holds.
Int4Block quantise_int4(std::span<const float> weights);

// Linear layers of kInt8 and kInt4 (quantised_layout.h). They take float32 activations and quantise
// them row by row.
std::unique_ptr<Linear> make_quantised_linear(ProductFamily family, std::size_t num_inputs,
                                              std::vector<std::size_t> panels, WeightArena& arena,
                                              const RowKernels& kernels);

}  // namespace rr::internal
