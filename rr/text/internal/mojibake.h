#pragma once

#include <cstddef>
#include <string>

namespace rr::internal {

// Reads `text` again in the encoding that it was meant to be read in, as long as it looks as if it
// had been read in another (fix_encoding() of ftfy 6.3.1) and rounds are left. Each step takes one
// off `rounds_left`.
void fix_encoding(std::u32string& text, std::size_t& rounds_left);

}  // namespace rr::internal
