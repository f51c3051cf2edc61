#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "rr/base/check.h"

namespace rr::internal {

// Bytes that begin on a cache line and a vector register. Move only; what was moved from is empty.
class AlignedBuffer {
 public:
  static constexpr std::size_t kAlignment = 64;

  AlignedBuffer() = default;

  // Content is not set. Throws std::bad_alloc as `new` does.
  explicit AlignedBuffer(std::size_t size, std::size_t alignment = kAlignment) : size_(size) {
    if (size == 0) return;
    // Not std::aligned_alloc: glibc (2.36) asks for more than it keeps, so that what one buffer of
    // a size leaves behind is too small for the next, and many that come and go take twice their
    // size.
    const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
    const std::size_t shift = alignment - alignof(std::max_align_t);  // at most
    bytes_.reset(static_cast<std::byte*>(std::malloc(rounded + shift)));
    if (bytes_ == nullptr) throw std::bad_alloc();
    const std::size_t past = reinterpret_cast<std::uintptr_t>(bytes_.get()) % alignment;
    begin_ = bytes_.get() + (past == 0 ? 0 : alignment - past);
  }

  AlignedBuffer(AlignedBuffer&& other) noexcept { swap(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    AlignedBuffer(std::move(other)).swap(*this);
    return *this;
  }

  std::size_t size() const { return size_; }

  // Makes room for `size` bytes; the content is lost when it grows.
  void reserve(std::size_t size) {
    if (size <= size_) return;
    *this = AlignedBuffer();  // old and new are never there at the same time
    *this = AlignedBuffer(size);
  }

  void clear() {
    if (size_ > 0) std::memset(begin_, 0, size_);
  }

  template <typename T = std::byte>
  T* data() const {
    return static_cast<T*>(static_cast<void*>(begin_));
  }

 private:
  void swap(AlignedBuffer& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(begin_, other.begin_);
    std::swap(size_, other.size_);
  }

  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<std::byte, Free> bytes_;
  std::byte* begin_ = nullptr;  // in them, aligned
  std::size_t size_ = 0;
};

}  // namespace rr::internal
