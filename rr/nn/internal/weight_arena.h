#pragma once

#include <cstddef>
#include <vector>

#include "rr/nn/internal/aligned_buffer.h"

namespace rr::internal {

// Memory for weights, which live as long as their decoder. It is asked for in large pieces on huge
// pages: decoding reads all weights for every token, and with pages of 4 KiB a sixth of that time
// goes into address translation.
class WeightArena {
 public:
  // Memory on a cache line; content is not set. Not for several threads at once. Throws
  // std::bad_alloc.
  std::byte* allocate(std::size_t size);

 private:
  std::vector<AlignedBuffer> pieces_;
  std::byte* next_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace rr::internal
