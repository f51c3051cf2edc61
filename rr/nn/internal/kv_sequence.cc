#include "rr/nn/internal/kv_sequence.h"

#include <cstring>

#include "rr/base/check.h"

namespace rr::internal {
namespace {

std::size_t blocks_for(std::size_t tokens) {
  return (tokens + kKvBlockTokens - 1) / kKvBlockTokens;
}

}  // namespace

KvBlockData::KvBlockData(const KvShape& shape, KvBlockCount count)
    : bytes_(shape.block_bytes()), count_(std::move(count)) {
  bytes_.clear();
  ++*count_;
}

KvBlockData::KvBlockData(const KvBlockData& other)
    : KvBlock(), bytes_(other.bytes_.size()), count_(other.count_) {
  std::memcpy(bytes_.data(), other.bytes_.data(), bytes_.size());
  ++*count_;
}

KvBlockData::~KvBlockData() { --*count_; }

void KvBlockSequence::truncate(std::size_t length) {
  RR_CHECK(length <= length_, "a sequence can only be cut shorter");
  length_ = length;
  blocks_.resize(blocks_for(length));
}

std::shared_ptr<const KvBlock> KvBlockSequence::block(std::size_t index) const {
  RR_CHECK((index + 1) * kKvBlockTokens <= length_, "only full blocks can be had");
  return blocks_[index];
}

void KvBlockSequence::append(std::shared_ptr<const KvBlock> block) {
  RR_CHECK(length_ % kKvBlockTokens == 0, "a block goes behind a full one");
  auto data = std::dynamic_pointer_cast<const KvBlockData>(std::move(block));
  RR_CHECK(data != nullptr, "a block of another decoder");
  blocks_.resize(length_ / kKvBlockTokens);
  blocks_.push_back(std::move(data));
  length_ += kKvBlockTokens;
}

void KvBlockSequence::reserve(std::size_t count) {
  // A full block that was cut may be others' too: it is theirs as it is.
  if (length_ % kKvBlockTokens != 0) {
    std::shared_ptr<const KvBlockData>& last = blocks_[length_ / kKvBlockTokens];
    if (last.use_count() > 1) last = std::make_shared<const KvBlockData>(*last);
  }
  while (blocks_.size() < blocks_for(length_ + count)) {
    blocks_.push_back(std::make_shared<const KvBlockData>(shape_, count_));
  }
}

}  // namespace rr::internal
