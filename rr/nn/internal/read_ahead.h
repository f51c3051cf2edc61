#pragma once

#include <cstddef>

#include "rr/nn/internal/bf16.h"

namespace rr::internal {

// Asks for the weights that follow these, bf16 from memory, by so much that they are there when
// they are wanted: processors by themselves look less far ahead. What is behind the last one is not
// touched.
static inline void read_ahead(const Bf16* weights, std::size_t count) {
  constexpr std::size_t kAhead = 4096;
  constexpr std::size_t kLine = 64 / sizeof(Bf16);
  for (std::size_t i = 0; i < count; i += kLine) __builtin_prefetch(weights + kAhead + i);
}

}  // namespace rr::internal
