#pragma once

#include <bit>
#include <cstdint>

namespace rr::internal {

// IEEE 754 binary16 to binary32, exact for every value; NaN stays NaN and infinity infinity. No
// branches and no subnormal operands: a loop over it becomes vector code with any x86-64 compiler,
// and a thread that flushes subnormals gets the same numbers.
inline float half_to_float(std::uint16_t half) {
  const auto bits = static_cast<std::uint32_t>(half);
  const std::uint32_t sign = (bits & 0x8000U) << 16;
  const std::uint32_t magnitude = bits & 0x7FFFU;
  // All ones where it holds: with masks, not with ?:, which compilers turn into jumps here.
  const std::uint32_t is_subnormal = 0U - static_cast<std::uint32_t>(magnitude < 0x0400U);
  const std::uint32_t is_special = 0U - static_cast<std::uint32_t>(magnitude >= 0x7C00U);
  // A normal number: the exponent's bias grows from 15 to 127. Infinity and NaN: from 31 to 255.
  constexpr std::uint32_t kBiasStep = 112U << 23;
  const std::uint32_t normal = (magnitude << 13) + kBiasStep + (is_special & kBiasStep);
  // A subnormal one is magnitude * 2^-24; under the exponent of 0.5 it is (0.5 + that), exactly.
  const std::uint32_t subnormal =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(0x3F000000U | magnitude) - 0.5F);
  return std::bit_cast<float>(sign | (subnormal & is_subnormal) | (normal & ~is_subnormal));
}

}  // namespace rr::internal
