#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

// Integers of an index's files: little-endian, or seven bits a byte, the low ones first, the top
// bit set where more follow (LEB128).

namespace rr::internal {

template <typename Integer>
void put_fixed(std::string& bytes, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    bytes += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xFF);
  }
}

// Requires that `at` + sizeof(Integer) bytes are there. Compilers make one load of it.
template <typename Integer>
Integer get_fixed(const std::uint8_t* at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    value |= static_cast<std::uint64_t>(at[i]) << (8 * i);
  }
  return static_cast<Integer>(value);
}

inline void put_varint(std::string& bytes, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7F) | 0x80);
  bytes += static_cast<char>(value);
}

// Takes one integer off the front. False where the bytes end early or it has more than 64 bits.
inline bool take_varint(std::span<const std::uint8_t>& bytes, std::uint64_t& value) {
  value = 0;
  for (std::size_t i = 0; i < bytes.size() && i < 10; ++i) {
    value |= static_cast<std::uint64_t>(bytes[i] & 0x7F) << (7 * i);
    if (bytes[i] < 0x80) {
      bytes = bytes.subspan(i + 1);
      return true;
    }
  }
  return false;
}

}  // namespace rr::internal
