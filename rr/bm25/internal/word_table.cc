#include "rr/bm25/internal/word_table.h"

#include <cstring>

namespace rr::internal {
namespace {

constexpr std::size_t kFirstSlots = 1024;

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t product = (a ^ a >> 32) * b;
  return product ^ product >> 29;
}

// Eight bytes at a time, each folded in by a product.
std::uint64_t hash_of(std::string_view word) {
  constexpr std::uint64_t kFirst = 0x9E3779B97F4A7C15;
  constexpr std::uint64_t kSecond = 0xD6E8FEB86659FD93;
  std::uint64_t hash = word.size() * kFirst;
  for (; word.size() >= 8; word.remove_prefix(8)) {
    std::uint64_t piece;
    std::memcpy(&piece, word.data(), 8);
    hash = mix(hash ^ piece, kSecond);
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, word.data(), word.size());
  return mix(hash ^ rest, kFirst);
}

}  // namespace

WordTable::WordTable() : slots_(kFirstSlots) {}

// Where the word is, or the free slot where it would be.
std::size_t WordTable::slot_of(std::string_view word, std::uint64_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  const auto upper = static_cast<std::uint32_t>(hash >> 32);
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.number == kNone) return at;
    if (slot.hash == upper && this->word(slot.number) == word) return at;
  }
}

std::uint32_t WordTable::find(std::string_view word) const {
  return slots_[slot_of(word, hash_of(word))].number;
}

std::uint32_t WordTable::add(std::string_view word) {
  const std::uint64_t hash = hash_of(word);
  std::size_t at = slot_of(word, hash);
  if (slots_[at].number != kNone) return slots_[at].number;
  if (3 * (ends_.size() + 1) > 2 * slots_.size()) {
    grow();
    at = slot_of(word, hash);
  }
  const auto number = static_cast<std::uint32_t>(ends_.size());
  slots_[at] = {static_cast<std::uint32_t>(hash >> 32), number};
  text_ += word;
  ends_.push_back(text_.size());
  return number;
}

void WordTable::grow() {
  slots_.assign(2 * slots_.size(), Slot());
  const std::size_t mask = slots_.size() - 1;
  for (std::uint32_t number = 0; number < ends_.size(); ++number) {
    const std::uint64_t hash = hash_of(word(number));
    std::size_t at = hash & mask;
    while (slots_[at].number != kNone) at = (at + 1) & mask;
    slots_[at] = {static_cast<std::uint32_t>(hash >> 32), number};
  }
}

std::size_t WordTable::memory_bytes() const {
  return slots_.size() * sizeof(Slot) + ends_.capacity() * sizeof(std::size_t) + text_.capacity();
}

void WordTable::clear() { *this = WordTable(); }

}  // namespace rr::internal
