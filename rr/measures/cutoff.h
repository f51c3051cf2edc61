#pragma once

#include <cstddef>
#include <limits>

namespace rr {

// A cutoff deeper than every ranking: the measure sees the whole of it.
inline constexpr std::size_t kWholeRanking = std::numeric_limits<std::size_t>::max();

}  // namespace rr
