#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "rr/lm/tokenizer.h"

namespace rr::internal {

// The merges of a byte-pair encoding: which two neighbours become which token, and which merge
// comes first. Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units",
// 2016.
class MergeTable {
 public:
  static constexpr std::uint32_t kNoRank = 0xFFFFFFFF;

  struct Merge {
    std::uint32_t rank = kNoRank;  // lower comes first; kNoRank: the pair does not merge
    TokenId token = 0;
  };

  void reserve(std::size_t num_merges);

  // The next merge: its rank is the number of merges before it. A pair that has a merge already
  // takes the later one.
  void append(TokenId left, TokenId right, TokenId token);

  std::size_t size() const { return num_merges_; }

  // The merge of a pair, if it has one.
  Merge find(TokenId left, TokenId right) const;

  // Merges neighbours in `tokens` until no merge applies: always the one of the lowest rank, of
  // equals the leftmost. Takes n log n.
  void apply(TokenIds& tokens) const;

 private:
  struct Slot {
    std::uint64_t pair;
    Merge merge;  // kNoRank: the slot is free
  };

  std::size_t slot_of(std::uint64_t pair) const;
  void rehash(std::size_t num_slots);
  void apply_to_few(TokenIds& tokens) const;
  void apply_to_many(TokenIds& tokens) const;

  std::vector<Slot> slots_;  // open addressing, a power of two
  std::size_t num_used_ = 0;
  std::size_t num_merges_ = 0;
};

}  // namespace rr::internal
