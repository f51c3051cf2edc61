#pragma once

#include <cstddef>

namespace rr::internal {

// How often the steps run over a segment at most, and over a piece that fix_encoding() repairs by
// itself. Text of this world is done after a handful of rounds; the bound is for text made to need
// a round for every few of its characters, which would take hours.
inline constexpr std::size_t kMostRounds = 1000;

}  // namespace rr::internal
