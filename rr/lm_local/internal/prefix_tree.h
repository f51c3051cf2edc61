#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <span>

#include "rr/lm/tokenizer.h"
#include "rr/nn/decoder.h"

namespace rr::internal {

// What a decoder has read and what is kept of it, by the tokens: for prompts that begin as others
// did. A node is one block of keys and values; the tokens on the way to it from the root are those
// that were read before it.
//
// A block that a sequence has too is in use, and so are all blocks before it. The others are kept
// for as long as there is room, and go in the order in which they were last asked for.
class PrefixTree {
 public:
  class Node;

  PrefixTree();
  ~PrefixTree();
  PrefixTree(const PrefixTree&) = delete;
  PrefixTree& operator=(const PrefixTree&) = delete;

  // The beginning of every text; has no block.
  Node* root() { return root_.get(); }

  // The block of these tokens behind `before`; nullptr: none is kept. Requires kKvBlockTokens ids.
  // A node stays while its block is in use: hold the block in a sequence as long as the node.
  Node* find(Node* before, std::span<const TokenId> ids);
  static const std::shared_ptr<const KvBlock>& block_of(const Node& node);

  // Keeps a block. Requires that find(before, ids) gives nothing.
  Node* insert(Node* before, std::span<const TokenId> ids, std::shared_ptr<const KvBlock> block);

  // Notes that a text up to this node is wanted now.
  void touch(Node* node);

  // Lets go of the block that was wanted longest ago and is not in use. False: all are.
  bool evict_one();

  std::size_t size() const { return by_age_.size(); }
  std::size_t num_evictable() const;  // blocks that are not in use
  std::size_t num_evicted() const { return num_evicted_; }

 private:
  std::unique_ptr<Node> root_;
  std::list<Node*> by_age_;  // wanted longest ago first, and a node before the one it hangs on
  std::size_t num_evicted_ = 0;
};

}  // namespace rr::internal
