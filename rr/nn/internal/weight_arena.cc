#include "rr/nn/internal/weight_arena.h"

#include <sys/mman.h>

#include <algorithm>

namespace rr::internal {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kPiece = 8 * kHugePage;

std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

std::byte* WeightArena::allocate(std::size_t size) {
  size = round_up(size, AlignedBuffer::kAlignment);
  if (size > left_) {
    const std::size_t piece = round_up(std::max(size, kPiece), kHugePage);
    pieces_.emplace_back(piece, kHugePage);
    next_ = pieces_.back().data();
    left_ = piece;
    ::madvise(next_, piece, MADV_HUGEPAGE);  // a wish: without huge pages it is only slower
  }
  std::byte* const result = next_;
  next_ += size;
  left_ -= size;
  return result;
}

}  // namespace rr::internal
