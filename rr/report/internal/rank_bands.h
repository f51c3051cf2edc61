#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace rr::internal {

// Ranks in bands that grow as interest falls: 1, 2–3, 4–5, 6–10, 11–20, ..., and "not found".
inline constexpr std::size_t kRankBands = 10;
inline constexpr std::size_t kNotFoundBand = kRankBands - 1;

// Of a rank from 1; 0, not found, is in the last band.
std::size_t band_of(std::size_t rank);

std::string band_name(std::size_t band);

}  // namespace rr::internal
