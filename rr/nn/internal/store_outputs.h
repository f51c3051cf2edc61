#pragma once

#include <cstddef>
#include <cstring>

#include "rr/nn/internal/quantised_layout.h"

namespace rr::internal {

// Of a vector of a row's outputs, from `first` on, those that the product has.
template <typename Vector>
static inline void store_outputs(Vector values, std::size_t first, const QuantisedProduct& p,
                                 std::size_t row) {
  constexpr std::size_t kCount = sizeof(Vector) / sizeof(float);
  if (first >= p.outputs) return;
  const std::size_t left = p.outputs - first;
  std::memcpy(p.out + row * p.outputs + first, &values,
              (left < kCount ? left : kCount) * sizeof(float));
}

}  // namespace rr::internal
