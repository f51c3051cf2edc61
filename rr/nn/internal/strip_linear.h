#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "rr/nn/internal/linear.h"

namespace rr::internal {

// kGeneric and kF32 by our own loops (RowKernels::multiply_f32), which give the same row for every
// number of rows; oneDNN's float32 products do not on every machine, nor in every version. Weights
// are bf16 or float32, in strips of 64 outputs: [strip][input][output].
std::unique_ptr<Linear> make_strip_linear(ProductFamily family, std::size_t num_inputs,
                                          std::vector<std::size_t> panels, WeightArena& arena,
                                          const RowKernels& kernels);

}  // namespace rr::internal
