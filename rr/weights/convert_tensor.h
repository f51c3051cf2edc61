#pragma once

#include <cstddef>
#include <vector>

#include "rr/weights/tensor.h"

namespace rr {

// A tensor's numbers in another type: kF32, kF16, kBF16 (rounded to nearest, ties to even), kQ8_0
// or kQ4_0 (as GGML's reference quantises; rows must be whole blocks of 32). A tensor that is of
// the type already comes out byte for byte.
std::vector<std::byte> convert_tensor(const TensorView& tensor, TensorType type);

}  // namespace rr
