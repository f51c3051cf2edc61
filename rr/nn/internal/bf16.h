#pragma once

#include <cstdint>
#include <cstring>

namespace rr::internal {

// The upper half of a float32: 8 bits of exponent, 7 of mantissa.
using Bf16 = std::uint16_t;

// The functions here are `static` because they are also compiled for other instruction sets
// (kernels.h): each file must keep its own copy.

static inline float to_float(Bf16 value) {
  const std::uint32_t bits = static_cast<std::uint32_t>(value) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

// Rounds to nearest, ties to even, as the hardware does. Requires a value that is not NaN.
static inline Bf16 to_bf16(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return static_cast<Bf16>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// Reads a float, and stores one as it is or rounded: for kernels that are written once for both
// elements.
static inline float load(const float* in) { return *in; }
static inline float load(const Bf16* in) { return to_float(*in); }
static inline void store(float value, float* out) { *out = value; }
static inline void store(float value, Bf16* out) { *out = to_bf16(value); }

}  // namespace rr::internal
