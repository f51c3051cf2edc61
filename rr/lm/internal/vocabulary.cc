#include "rr/lm/internal/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "rr/base/check.h"

namespace rr::internal {
namespace {

constexpr std::size_t kMinSlots = 1024;

std::uint64_t load_up_to_8(const char* bytes, std::size_t count) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, count);
  return word;
}

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio, odd
  return hash ^ (hash >> 32);
}

std::uint64_t hash_of(std::string_view bytes) {
  std::uint64_t hash = bytes.size();
  while (bytes.size() > 8) {
    hash = mix(hash, load_up_to_8(bytes.data(), 8));
    bytes.remove_prefix(8);
  }
  return mix(hash, load_up_to_8(bytes.data(), bytes.size()));
}

}  // namespace

void Vocabulary::reserve(std::size_t num_tokens, std::size_t num_bytes) {
  begins_.reserve(num_tokens);
  arena_.reserve(num_bytes);
  rehash(std::bit_ceil(std::max(kMinSlots, 2 * num_tokens)));
}

void Vocabulary::append(std::string_view bytes, bool findable) {
  const auto id = static_cast<TokenId>(begins_.size());
  begins_.push_back(arena_.size());
  arena_.append(bytes);
  if (!findable) return;
  if (2 * (num_findable_ + 1) > slots_.size()) rehash(std::max(kMinSlots, 2 * slots_.size()));
  slots_[slot_of(bytes)] = id;
  ++num_findable_;
  longest_findable_ = std::max(longest_findable_, bytes.size());
}

std::string_view Vocabulary::bytes_of(TokenId id) const {
  const auto index = static_cast<std::size_t>(id);
  RR_CHECK(id >= 0 && index < begins_.size(), "a token id of the vocabulary");
  const std::size_t end = index + 1 < begins_.size() ? begins_[index + 1] : arena_.size();
  return std::string_view(arena_).substr(begins_[index], end - begins_[index]);
}

TokenId Vocabulary::find(std::string_view bytes) const {
  if (bytes.size() > longest_findable_ || slots_.empty()) return kNoToken;
  return slots_[slot_of(bytes)];
}

std::size_t Vocabulary::slot_of(std::string_view bytes) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash_of(bytes) & mask;
  while (slots_[slot] != kNoToken && bytes_of(slots_[slot]) != bytes) slot = (slot + 1) & mask;
  return slot;
}

void Vocabulary::rehash(std::size_t num_slots) {
  std::vector<TokenId> old = std::move(slots_);
  slots_.assign(num_slots, kNoToken);
  for (const TokenId id : old) {
    if (id != kNoToken) slots_[slot_of(bytes_of(id))] = id;
  }
}

}  // namespace rr::internal
