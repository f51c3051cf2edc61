#include "rr/train/work_share.h"

#include <algorithm>
#include <numeric>

namespace rr {

std::vector<std::size_t> share_of(const Ranks& ranks, std::span<const std::size_t> costs) {
  std::vector<std::size_t> pieces(costs.size());
  std::iota(pieces.begin(), pieces.end(), std::size_t{0});
  std::stable_sort(pieces.begin(), pieces.end(),
                   [&](std::size_t a, std::size_t b) { return costs[a] > costs[b]; });
  std::vector<std::size_t> loads(ranks.size());
  std::vector<std::size_t> own;
  for (const std::size_t piece : pieces) {
    const auto least = std::min_element(loads.begin(), loads.end());
    *least += costs[piece];
    if (least == loads.begin() + static_cast<std::ptrdiff_t>(ranks.rank())) own.push_back(piece);
  }
  std::sort(own.begin(), own.end());
  return own;
}

}  // namespace rr
