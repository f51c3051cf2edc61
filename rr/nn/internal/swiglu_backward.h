#pragma once

#include <cstddef>

#include "rr/base/exponential.h"
#include "rr/nn/internal/bf16.h"

namespace rr::internal {

// The gradient of swiglu.h. With s = 1 / (1 + e^-gate) and g the gradient of the output:
//
//   d_up_i   = g_i * gate_i * s_i
//   d_gate_i = g_i * up_i * s_i * (1 + gate_i * (1 - s_i))
//
// gate, up, g, d_gate, d_up: [size]. Number is float or Bf16.
template <typename Number>
static inline void swiglu_backward(const Number* gate, const Number* up, const float* g,
                                   std::size_t size, Number* d_gate, Number* d_up) {
  for (std::size_t i = 0; i < size; ++i) {
    const float gate_i = load(gate + i);
    const float s = 1.0f / (1.0f + exponential(-gate_i));
    store(g[i] * load(up + i) * s * (1.0f + gate_i * (1.0f - s)), d_gate + i);
    store(g[i] * gate_i * s, d_up + i);
  }
}

}  // namespace rr::internal
