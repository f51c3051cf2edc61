#pragma once

#include <bit>
#include <cstdint>

namespace rr::internal {

// A document's length in one byte, as Lucene's SmallFloat.intToByte4 keeps it: exact up to 39, then
// four significant bits, rounded down. Order is kept.

inline constexpr std::uint32_t kFreeLengths = 24;  // exact codes in front of the floats

inline std::uint8_t length_to_byte(std::uint32_t length) {
  if (length > 0x7FFFFFFFU) length = 0x7FFFFFFFU;
  if (length < kFreeLengths) return static_cast<std::uint8_t>(length);
  const std::uint32_t rest = length - kFreeLengths;
  const auto num_bits = static_cast<int>(std::bit_width(rest));
  if (num_bits < 4) return static_cast<std::uint8_t>(kFreeLengths + rest);
  const auto shift = static_cast<std::uint32_t>(num_bits - 4);
  return static_cast<std::uint8_t>(kFreeLengths + ((rest >> shift & 7U) | (shift + 1) << 3));
}

inline std::uint32_t byte_to_length(std::uint8_t code) {
  if (code < kFreeLengths) return code;
  const std::uint32_t rest = code - kFreeLengths;
  const std::uint32_t mantissa = rest & 7U;
  const std::uint32_t exponent = rest >> 3;
  return kFreeLengths + (exponent == 0 ? mantissa : (mantissa | 8U) << (exponent - 1));
}

}  // namespace rr::internal
