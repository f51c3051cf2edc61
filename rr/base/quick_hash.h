#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string_view>

namespace rr {

// A hash for tables of short ids, in a few instructions for 8 to 16 bytes (docids mostly are so
// long). Not for files, and not for tables that an attacker fills: who wants to makes collisions.
inline std::uint64_t quick_hash(std::string_view text) {
  if (text.size() < 8 || text.size() > 16) return std::hash<std::string_view>()(text);
  std::uint64_t head = 0;
  std::uint64_t tail = 0;
  std::memcpy(&head, text.data(), 8);
  std::memcpy(&tail, text.data() + text.size() - 8, 8);
  const std::uint64_t mixed = (head ^ text.size()) * 0x9E3779B97F4A7C15U + tail;
  const std::uint64_t spread = mixed * 0xC2B2AE3D27D4EB4FU;
  return spread ^ (spread >> 32);
}

}  // namespace rr
