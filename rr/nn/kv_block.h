#pragma once

#include <cstddef>

namespace rr {

// Keys and values are kept in blocks of this many tokens, all layers together: the grain in which
// memory is taken and in which sequences share what they have read.
constexpr std::size_t kKvBlockTokens = 64;

}  // namespace rr
