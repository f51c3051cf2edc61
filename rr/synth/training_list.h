#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace rr {

// Passages of a topic by number, as they were labelled. No number twice, in one list or over all.
struct LabelledPassages {
  std::vector<std::size_t> positives;
  std::vector<std::size_t> hard_negatives;
  std::vector<std::size_t> negatives;
};

struct ListOptions {
  std::size_t size = 20;           // most passages of a list, >= 2
  std::size_t max_positives = 10;  // >= 1; never more than size - 1, so that a negative has room
};

// The passages that go into a topic's list: its positives, where there are too many a random choice
// of them; then hard negatives, then negatives, each a random choice, until the list is full. The
// order is random too, so that a position tells nothing. All by (seed, stream) only: the same
// passages, the same list. Requires a positive and a negative of either kind.
std::vector<std::size_t> choose_list(const LabelledPassages& passages, const ListOptions& options,
                                     std::uint64_t seed, std::uint64_t stream);

}  // namespace rr
