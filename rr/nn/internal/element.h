#pragma once

#include <cstddef>
#include <cstdint>

#include "rr/nn/internal/bf16.h"

namespace rr::internal {

// What a number in a buffer is.
enum class Element {
  kF32,
  kBf16,
  kInt8,  // with a scale for some of them together: keys and values alone (kv_layout.h)
};

static constexpr std::size_t element_bytes(Element element) {
  if (element == Element::kInt8) return sizeof(std::int8_t);
  return element == Element::kF32 ? sizeof(float) : sizeof(Bf16);
}

}  // namespace rr::internal
