#include "rr/lm_local/internal/kept_sequence.h"

#include <utility>

#include "rr/base/check.h"

namespace rr::internal {

KeptSequence::KeptSequence(std::unique_ptr<KvSequence> sequence, PrefixTree& tree)
    : sequence_(std::move(sequence)), tree_(&tree), kept_(tree.root()) {}

bool KeptSequence::take(std::span<const TokenId> ids) {
  RR_CHECK(length() == block_start(), "blocks are taken whole");
  PrefixTree::Node* const next = is_kept() ? tree_->find(kept_, ids) : nullptr;
  if (next == nullptr) return false;
  sequence_->append(PrefixTree::block_of(*next));
  tree_->touch(next);
  kept_ = next;
  ++num_kept_;
  return true;
}

void KeptSequence::truncate(std::size_t length) {
  RR_CHECK(length >= num_kept_ * kKvBlockTokens, "what is kept stays");
  sequence_->truncate(length);
}

std::size_t KeptSequence::next_to_keep() const {
  const std::size_t start = num_kept_ * kKvBlockTokens;
  return kept_ != nullptr && start + kKvBlockTokens <= length() ? start : length();
}

void KeptSequence::keep(std::span<const TokenId> ids) {
  RR_CHECK(next_to_keep() < length(), "there is a block to keep");
  // Where another sequence filled the same block at the same time, its block is the kept one. Those
  // that follow this one's do not hang on it, and are not kept.
  const bool is_there = tree_->find(kept_, ids) != nullptr;
  kept_ = is_there ? nullptr : tree_->insert(kept_, ids, sequence_->block(num_kept_));
  ++num_kept_;
}

}  // namespace rr::internal
