#pragma once

#include <cstdint>
#include <cstring>

namespace rr::internal {

// IEEE 754 binary16, of finite numbers only. `static` as in bf16.h.

static inline float half_bits_to_float(std::uint16_t half) {
  const std::uint32_t bits = (half & 0x8000u) << 16 | (half & 0x7fffu) << 13;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value * 0x1p112f;  // the exponents count from other biases
}

// Rounds to nearest, ties to even. Requires a number that does not round to infinity.
static inline std::uint16_t float_to_half_bits(float value) {
  float scaled = value * 0x1p-112f;
  std::uint32_t bits;
  std::memcpy(&bits, &scaled, sizeof bits);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  const std::uint32_t rounded = (magnitude + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  return static_cast<std::uint16_t>((bits >> 16 & 0x8000u) | rounded);
}

}  // namespace rr::internal
