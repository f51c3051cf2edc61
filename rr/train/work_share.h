#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "rr/ranks/ranks.h"

namespace rr {

// Which pieces of work a rank takes, by their costs (tokens): the costliest first, each goes to the
// rank that has least so far, the lowest of such. No rank has more than the average and one piece.
// Every rank comes to the same answer, and all take all pieces. Rising indices.
std::vector<std::size_t> share_of(const Ranks& ranks, std::span<const std::size_t> costs);

}  // namespace rr
