#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "rr/base/check.h"

namespace rr::internal {

// Bytes that begin on a cache line and a vector register. Move only.
class AlignedBuffer {
 public:
  static constexpr std::size_t kAlignment = 64;

  AlignedBuffer() = default;

  // Content is not set. Throws std::bad_alloc as `new` does.
  explicit AlignedBuffer(std::size_t size, std::size_t alignment = kAlignment) : size_(size) {
    if (size == 0) return;
    const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
    bytes_.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, rounded)));
    if (bytes_ == nullptr) throw std::bad_alloc();
  }

  std::size_t size() const { return size_; }

  // Makes room for `size` bytes; the content is lost when it grows.
  void reserve(std::size_t size) {
    if (size <= size_) return;
    *this = AlignedBuffer();  // old and new are never there at the same time
    *this = AlignedBuffer(size);
  }

  void clear() {
    if (size_ > 0) std::memset(bytes_.get(), 0, size_);
  }

  template <typename T = std::byte>
  T* data() const {
    return static_cast<T*>(static_cast<void*>(bytes_.get()));
  }

 private:
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<std::byte, Free> bytes_;
  std::size_t size_ = 0;
};

}  // namespace rr::internal
