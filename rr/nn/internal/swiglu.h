#pragma once

#include <cstddef>

#include "rr/base/exponential.h"
#include "rr/nn/internal/bf16.h"

namespace rr::internal {

// The gated activation of the feed-forward layer (Shazeer, arXiv 2002.05202):
//
//   out_i = silu(gate_i) * up_i,   silu(x) = x / (1 + e^-x)
//
// gate, up, out: [size]. Out is float or Bf16.
template <typename Out>
static inline void swiglu(const float* gate, const float* up, std::size_t size, Out* out) {
  for (std::size_t i = 0; i < size; ++i) {
    store(gate[i] / (1.0f + exponential(-gate[i])) * up[i], out + i);
  }
}

}  // namespace rr::internal
