#include "rr/lm_local/internal/prefix_tree.h"

#include <algorithm>
#include <utility>

#include "rr/base/check.h"

namespace rr::internal {

class PrefixTree::Node {
 public:
  Node* before = nullptr;
  std::shared_ptr<const KvBlock> block;
  std::map<TokenIds, std::unique_ptr<Node>> next;
  std::list<Node*>::iterator age;                             // in by_age_
  std::map<TokenIds, std::unique_ptr<Node>>::iterator place;  // in before->next

  bool is_in_use() const { return block.use_count() > 1; }
};

PrefixTree::PrefixTree() : root_(std::make_unique<Node>()) {}
PrefixTree::~PrefixTree() = default;

PrefixTree::Node* PrefixTree::find(Node* before, std::span<const TokenId> ids) {
  RR_CHECK(ids.size() == kKvBlockTokens, "a block's worth of tokens");
  const auto it = before->next.find(TokenIds(ids.begin(), ids.end()));
  return it == before->next.end() ? nullptr : it->second.get();
}

const std::shared_ptr<const KvBlock>& PrefixTree::block_of(const Node& node) { return node.block; }

PrefixTree::Node* PrefixTree::insert(Node* before, std::span<const TokenId> ids,
                                     std::shared_ptr<const KvBlock> block) {
  RR_CHECK(ids.size() == kKvBlockTokens, "a block's worth of tokens");
  const auto [place, is_new] =
      before->next.emplace(TokenIds(ids.begin(), ids.end()), std::make_unique<Node>());
  RR_CHECK(is_new, "a block is kept once");
  Node* const node = place->second.get();
  node->before = before;
  node->block = std::move(block);
  node->place = place;
  node->age = by_age_.insert(by_age_.end(), node);
  touch(node);
  return node;
}

void PrefixTree::touch(Node* node) {
  for (; node != root_.get(); node = node->before) {
    by_age_.splice(by_age_.end(), by_age_, node->age);
  }
}

bool PrefixTree::evict_one() {
  // What hangs on nodes that are not in use is not in use either, and stands before them.
  const auto oldest = std::find_if(by_age_.begin(), by_age_.end(),
                                   [](const Node* node) { return !node->is_in_use(); });
  if (oldest == by_age_.end()) return false;
  Node* const node = *oldest;
  RR_CHECK(node->next.empty(), "a block goes before those it follows");
  by_age_.erase(oldest);
  node->before->next.erase(node->place);
  ++num_evicted_;
  return true;
}

std::size_t PrefixTree::num_evictable() const {
  return static_cast<std::size_t>(std::count_if(
      by_age_.begin(), by_age_.end(), [](const Node* node) { return !node->is_in_use(); }));
}

}  // namespace rr::internal
