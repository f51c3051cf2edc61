#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rr::internal {

// Numbers by 64-bit keys that are hashes already, a key any number of times; 16 bytes an entry, at
// most two thirds full. For tens of millions of entries, where a node each would be too much.
class HashMultimap {
 public:
  static constexpr std::uint32_t kNoValue = 0xffffffffU;

  // Requires value != kNoValue.
  void insert(std::uint64_t key, std::uint32_t value) {
    if (3 * (size_ + 1) > 2 * slots_.size()) grow();
    place(key, value);
    ++size_;
  }

  // Calls visit(value) for the key's values in the order of their insertion, until it gives false.
  template <typename Visit>
  void find(std::uint64_t key, const Visit& visit) const {
    if (slots_.empty()) return;
    for (std::size_t at = key & mask(); slots_[at].value != kNoValue; at = (at + 1) & mask()) {
      if (slots_[at].key == key && !visit(slots_[at].value)) return;
    }
  }

  bool contains(std::uint64_t key) const { return first(key) != kNoValue; }

  // The key's first value; kNoValue where it has none.
  std::uint32_t first(std::uint64_t key) const {
    std::uint32_t found = kNoValue;
    find(key, [&found](std::uint32_t value) {
      found = value;
      return false;
    });
    return found;
  }

  std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::uint32_t value = kNoValue;
  };

  std::size_t mask() const { return slots_.size() - 1; }

  void place(std::uint64_t key, std::uint32_t value) {
    std::size_t at = key & mask();
    while (slots_[at].value != kNoValue) at = (at + 1) & mask();
    slots_[at] = {key, value};
  }

  void grow() {
    std::vector<Slot> old(slots_.empty() ? 64 : 2 * slots_.size());
    old.swap(slots_);
    // From a free slot on, so that a cluster which wraps around keeps its order.
    std::size_t begin = 0;
    while (begin < old.size() && old[begin].value != kNoValue) ++begin;
    for (std::size_t i = 0; i < old.size(); ++i) {
      const Slot& slot = old[(begin + i) % old.size()];
      if (slot.value != kNoValue) place(slot.key, slot.value);
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace rr::internal
