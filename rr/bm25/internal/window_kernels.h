#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace rr::internal {

// Two dense terms, by their codes (posting_list.h). weights[c - 1][a + 4 b]: what a document gets
// for having code c of a term, where a and b are its codes of the two; the 16 numbers are repeated
// for the widest vectors. The second may be the first again, with nothing to give.
struct DensePair {
  std::array<const std::uint8_t*, 2> codes;
  std::array<std::array<std::uint8_t, 64>, 3> weights;
};

// The loops over the documents of a window, compiled for one instruction set:
// window_kernels_table.h in one file a set, each with its own compiler flags.
struct WindowKernels {
  // Adds to sums[num_docs] what the terms' documents get: the sum of weight times share, in 256ths,
  // rounded up once. first_byte: of the window in the codes; shares: of frequencies 1, 2 and 3, by
  // document. Requires weights of together at most 255 and whole groups of documents.
  void (*add_dense)(const DensePair* pairs, std::size_t num_pairs, std::size_t first_byte,
                    const std::uint8_t* const* shares, std::size_t num_docs, std::uint16_t* sums);
  // These require whole groups of documents.
  std::size_t (*count_at_least)(const std::uint16_t* sums, std::size_t num_docs, std::uint16_t cut);
  std::uint16_t (*highest)(const std::uint16_t* sums, std::size_t num_docs);
  // Writes the places of the sums in [low, high], increasing, and gives their number. Requires room
  // for all places and one more.
  std::size_t (*places_between)(const std::uint16_t* sums, std::size_t num_docs, std::uint16_t low,
                                std::uint16_t high, std::uint32_t* places);
};

const WindowKernels& baseline_window_kernels();

// On x86-64 alone.
const WindowKernels& avx2_window_kernels();    // requires AVX2
const WindowKernels& avx512_window_kernels();  // requires AVX-512 F, BW, DQ, VL

// The best that this machine runs, within isa_limit() (base/cpu.h).
const WindowKernels& window_kernels();

}  // namespace rr::internal
