#include "rr/nn/internal/pair_blocks.h"

#include "rr/nn/internal/pack_tiles.h"

namespace rr::internal {
namespace {

// pack(output, input, tile) for each tile in the order in which they lie.
template <typename Pack>
void for_each_tile(const PairBlocks& blocks, Bf16* packed, const Pack& pack) {
  for (std::size_t n = 0; n < blocks.num_outputs; n += blocks.width) {
    for (std::size_t k = 0; k < blocks.num_inputs; k += 32) {
      for (std::size_t first = 0; first < blocks.width; first += 16) {
        pack(n + first, k, packed + 2 * first);
      }
      packed += 32 * blocks.width;
    }
  }
}

}  // namespace

void pack_pair_blocks(const PairBlocks& blocks, const float* weight, Bf16* packed) {
  for_each_tile(blocks, packed, [&](std::size_t n, std::size_t k, Bf16* tile) {
    pack_tile(weight + n * blocks.num_inputs + k, 16, blocks.num_inputs, 2 * blocks.width, tile);
  });
}

void pack_columns_in_pair_blocks(const PairBlocks& blocks, const float* const* rows, Bf16* packed) {
  for_each_tile(blocks, packed, [&](std::size_t n, std::size_t k, Bf16* tile) {
    pack_column_tile(rows + k, n, 0xffff, 2 * blocks.width, tile);
  });
}

}  // namespace rr::internal
