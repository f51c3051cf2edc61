#include "rr/report/internal/rank_bands.h"

#include <fmt/core.h>

#include <array>

namespace rr::internal {
namespace {

// The last rank of each band but the last two: ranks above 1000, and "not found".
constexpr std::array<std::size_t, kRankBands - 2> kLastRanks = {1, 3, 5, 10, 20, 50, 100, 1000};

}  // namespace

std::size_t band_of(std::size_t rank) {
  if (rank == 0) return kNotFoundBand;
  std::size_t band = 0;
  while (band < kLastRanks.size() && rank > kLastRanks[band]) ++band;
  return band;
}

std::string band_name(std::size_t band) {
  if (band == kNotFoundBand) return "not found";
  if (band == kLastRanks.size()) return fmt::format("above {}", kLastRanks.back());
  const std::size_t first = band == 0 ? 1 : kLastRanks[band - 1] + 1;
  return first == kLastRanks[band] ? std::to_string(first)
                                   : fmt::format("{}–{}", first, kLastRanks[band]);
}

}  // namespace rr::internal
