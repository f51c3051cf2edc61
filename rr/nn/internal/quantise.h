#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace rr::internal {

// Numbers in 8 bits with one scale for all of a group: value_i = round(in_i * inverse), in_i is
// about value_i * scale. `static` for the reason in bf16.h.
struct Int8Scale {
  float scale;
  float inverse;  // 0 where nothing is larger than 1e-30
};

// The scale at which the largest magnitude becomes 127. NaN where one of them is NaN.
static inline Int8Scale int8_scale(const float* in, std::size_t size) {
  std::uint32_t top = 0;  // magnitudes compare as their bits do, NaN above all
  for (std::size_t i = 0; i < size; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, in + i, sizeof bits);
    bits &= 0x7fffffffu;
    top = bits > top ? bits : top;
  }
  float most;
  std::memcpy(&most, &top, sizeof most);
  return {most / 127.0f, most >= 1e-30f ? 127.0f / most : 0.0f};
}

// To nearest, ties to even.
static inline std::int8_t to_int8(float value, float inverse) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = value * inverse + kRound;
  std::int32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  return static_cast<std::int8_t>(bits - 0x4b400000);
}

}  // namespace rr::internal
