#include "rr/lm/internal/merge_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <queue>
#include <tuple>

namespace rr::internal {
namespace {

constexpr std::size_t kMinSlots = 1024;

// Up to here a plain search for the lowest rank beats a heap; beyond, its square shows.
constexpr std::size_t kFew = 48;

std::uint64_t pair_of(TokenId left, TokenId right) {
  return (std::uint64_t{static_cast<std::uint32_t>(left)} << 32) |
         static_cast<std::uint32_t>(right);
}

// A long word while it is merged: a doubly linked list in arrays.
class LongWord {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;

  LongWord(const MergeTable& table, const TokenIds& tokens) : table_(table) {
    nodes_.reserve(tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const auto here = static_cast<std::uint32_t>(i);
      const bool is_last = i + 1 == tokens.size();
      nodes_.push_back({tokens[i], i == 0 ? kNone : here - 1, is_last ? kNone : here + 1, true});
    }
    for (std::uint32_t i = 0; i < nodes_.size(); ++i) offer(i);
  }

  void merge_all() {
    while (!candidates_.empty()) {
      const Candidate best = candidates_.top();
      candidates_.pop();
      if (is_current(best)) merge(best);
    }
  }

  TokenIds tokens() const {
    TokenIds result;
    for (const Node& node : nodes_) {
      if (node.alive) result.push_back(node.token);
    }
    return result;
  }

 private:
  struct Node {
    TokenId token;
    std::uint32_t before;
    std::uint32_t after;
    bool alive;
  };

  struct Candidate {
    MergeTable::Merge merge;
    std::uint32_t left;  // the node whose pair this is

    // Of std::priority_queue's two the "lesser" waits.
    bool operator<(const Candidate& other) const {
      return std::tie(merge.rank, left) > std::tie(other.merge.rank, other.left);
    }
  };

  MergeTable::Merge merge_at(std::uint32_t left) const {
    const Node& node = nodes_[left];
    if (!node.alive || node.after == kNone) return {};
    return table_.find(node.token, nodes_[node.after].token);
  }

  void offer(std::uint32_t left) {
    const MergeTable::Merge merge = merge_at(left);
    if (merge.rank != MergeTable::kNoRank) candidates_.push({merge, left});
  }

  // What was pushed may have been overtaken by a merge of one of the two.
  bool is_current(const Candidate& candidate) const {
    return merge_at(candidate.left).rank == candidate.merge.rank;
  }

  void merge(const Candidate& candidate) {
    Node& left = nodes_[candidate.left];
    Node& right = nodes_[left.after];
    left.token = candidate.merge.token;
    left.after = right.after;
    right.alive = false;
    if (left.after != kNone) nodes_[left.after].before = candidate.left;
    if (left.before != kNone) offer(left.before);
    offer(candidate.left);
  }

  const MergeTable& table_;
  std::vector<Node> nodes_;
  std::priority_queue<Candidate> candidates_;
};

}  // namespace

void MergeTable::reserve(std::size_t num_merges) {
  rehash(std::bit_ceil(std::max(kMinSlots, 2 * num_merges)));
}

void MergeTable::append(TokenId left, TokenId right, TokenId token) {
  if (2 * (num_used_ + 1) > slots_.size()) rehash(std::max(kMinSlots, 2 * slots_.size()));
  const std::uint64_t pair = pair_of(left, right);
  Slot& slot = slots_[slot_of(pair)];
  if (slot.merge.rank == kNoRank) ++num_used_;
  slot = {pair, {static_cast<std::uint32_t>(num_merges_), token}};
  ++num_merges_;
}

MergeTable::Merge MergeTable::find(TokenId left, TokenId right) const {
  if (slots_.empty()) return {};
  return slots_[slot_of(pair_of(left, right))].merge;
}

std::size_t MergeTable::slot_of(std::uint64_t pair) const {
  const std::size_t mask = slots_.size() - 1;
  std::uint64_t hash = pair * 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio, odd
  hash ^= hash >> 32;
  std::size_t slot = hash & mask;
  while (slots_[slot].merge.rank != kNoRank && slots_[slot].pair != pair) slot = (slot + 1) & mask;
  return slot;
}

void MergeTable::rehash(std::size_t num_slots) {
  const std::vector<Slot> old = std::move(slots_);
  slots_.assign(num_slots, Slot{0, {}});
  for (const Slot& slot : old) {
    if (slot.merge.rank != kNoRank) slots_[slot_of(slot.pair)] = slot;
  }
}

void MergeTable::apply(TokenIds& tokens) const {
  if (tokens.size() < 2) return;
  if (tokens.size() <= kFew) {
    apply_to_few(tokens);
  } else {
    apply_to_many(tokens);
  }
}

void MergeTable::apply_to_few(TokenIds& tokens) const {
  std::array<Merge, kFew> merges;  // of tokens i and i + 1
  std::size_t size = tokens.size();
  for (std::size_t i = 0; i + 1 < size; ++i) merges[i] = find(tokens[i], tokens[i + 1]);
  while (size > 1) {
    const auto pairs_end = merges.begin() + static_cast<std::ptrdiff_t>(size - 1);
    const auto best = std::min_element(
        merges.begin(), pairs_end, [](const Merge& a, const Merge& b) { return a.rank < b.rank; });
    if (best->rank == kNoRank) break;
    const auto at = static_cast<std::size_t>(best - merges.begin());
    tokens[at] = best->token;
    std::move(tokens.begin() + static_cast<std::ptrdiff_t>(at + 2),
              tokens.begin() + static_cast<std::ptrdiff_t>(size),
              tokens.begin() + static_cast<std::ptrdiff_t>(at + 1));
    std::move(best + 1, pairs_end, best);
    --size;
    if (at + 1 < size) merges[at] = find(tokens[at], tokens[at + 1]);
    if (at > 0) merges[at - 1] = find(tokens[at - 1], tokens[at]);
  }
  tokens.resize(size);
}

void MergeTable::apply_to_many(TokenIds& tokens) const {
  LongWord word(*this, tokens);
  word.merge_all();
  tokens = word.tokens();
}

}  // namespace rr::internal
