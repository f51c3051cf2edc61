#include "rr/nn/internal/kv_sequence.h"

#include "rr/base/check.h"

namespace rr::internal {
namespace {

std::size_t blocks_for(std::size_t tokens) {
  return (tokens + kKvBlockTokens - 1) / kKvBlockTokens;
}

}  // namespace

void KvBlockSequence::truncate(std::size_t length) {
  RR_CHECK(length <= length_, "a sequence can only be cut shorter");
  length_ = length;
  blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(blocks_for(length)), blocks_.end());
}

void KvBlockSequence::reserve(std::size_t count) {
  while (blocks_.size() < blocks_for(length_ + count)) blocks_.emplace_back(shape_);
}

}  // namespace rr::internal
