#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "rr/nn/decoder.h"
#include "rr/nn/internal/aligned_buffer.h"
#include "rr/nn/internal/kernels.h"
#include "rr/nn/internal/kv_layout.h"

namespace rr::internal {

// Where the keys and values of a layer and KV head stand in a block (kv_layout.h).
struct KvShape {
  std::size_t num_layers;
  std::size_t num_kv_heads;
  std::size_t head_dim;
  Element element;

  std::size_t head_bytes() const { return kv_head_bytes(element, head_dim); }
  std::size_t block_bytes() const { return num_layers * num_kv_heads * 2 * head_bytes(); }
  std::size_t key_offset(std::size_t layer, std::size_t kv_head) const {
    return (layer * num_kv_heads + kv_head) * 2 * head_bytes();
  }
  std::size_t value_offset(std::size_t layer, std::size_t kv_head) const {
    return key_offset(layer, kv_head) + head_bytes();
  }
};

// Counts the blocks of a decoder that exist. Outlives decoder and sequences, whichever goes last.
using KvBlockCount = std::shared_ptr<std::atomic<std::size_t>>;

// Keys and values of 64 tokens in all layers. Zeros at first: attention multiplies what was not
// written yet by 0.
class KvBlockData final : public KvBlock {
 public:
  KvBlockData(const KvShape& shape, KvBlockCount count);
  KvBlockData(const KvBlockData& other);  // a copy of the content
  KvBlockData& operator=(const KvBlockData&) = delete;
  ~KvBlockData() override;

  std::byte* data() const { return bytes_.data(); }

 private:
  AlignedBuffer bytes_;
  KvBlockCount count_;
};

class KvBlockSequence final : public KvSequence {
 public:
  KvBlockSequence(const KvShape& shape, KvBlockCount count)
      : shape_(shape), count_(std::move(count)) {}

  std::size_t length() const override { return length_; }
  void truncate(std::size_t length) override;
  std::shared_ptr<const KvBlock> block(std::size_t index) const override;
  void append(std::shared_ptr<const KvBlock> block) override;

  // Makes room for `count` more tokens, in blocks that nobody else has; extend() then counts them
  // as read.
  void reserve(std::size_t count);
  void extend(std::size_t count) { length_ += count; }

  // Where a block lies. To be written to only from length() on, after reserve().
  std::byte* block_data(std::size_t index) const { return blocks_[index]->data(); }

 private:
  KvShape shape_;
  KvBlockCount count_;
  std::vector<std::shared_ptr<const KvBlockData>> blocks_;
  std::size_t length_ = 0;
};

}  // namespace rr::internal
