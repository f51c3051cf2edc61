#pragma once

#include <compare>
#include <cstddef>
#include <memory>
#include <span>

#include "rr/lm/tokenizer.h"
#include "rr/lm_local/internal/prefix_tree.h"
#include "rr/nn/decoder.h"

namespace rr::internal {

// A sequence whose full blocks come from a tree where it has them, and go into it where it has not.
class KeptSequence {
 public:
  KeptSequence(std::unique_ptr<KvSequence> sequence, PrefixTree& tree);

  KvSequence* sequence() const { return sequence_.get(); }
  std::size_t length() const { return sequence_->length(); }

  // The first token of the block that is being read, or comes next.
  std::size_t block_start() const { return length() / kKvBlockTokens * kKvBlockTokens; }

  // Takes the next block for read, if the tree has it. Requires its tokens, and that a block begins
  // here: length() == block_start().
  bool take(std::span<const TokenId> ids);

  // Whether what is being read could come from the tree, or go into it.
  bool is_kept() const { return kept_ != nullptr && num_kept_ * kKvBlockTokens == block_start(); }

  // A block that is being read: whoever reads the same one at the same time need not.
  struct BlockToRead {
    PrefixTree::Node* before;
    TokenIds ids;
    auto operator<=>(const BlockToRead&) const = default;
  };
  // Requires is_kept().
  BlockToRead block_to_read(TokenIds ids) const { return {kept_, std::move(ids)}; }

  // Forgets the tokens from `length` on. Requires that none of them has been kept.
  void truncate(std::size_t length);

  // The first token of the next full block that may go into the tree; length(): none.
  std::size_t next_to_keep() const;
  // Puts it there. Requires its tokens, and that there is one.
  void keep(std::span<const TokenId> ids);

 private:
  std::unique_ptr<KvSequence> sequence_;
  PrefixTree* tree_;
  PrefixTree::Node* kept_;    // the last block in the tree; nullptr: it keeps no more
  std::size_t num_kept_ = 0;  // blocks up to there
};

}  // namespace rr::internal
