#pragma once

#include <string_view>

namespace rr::internal {

// Whether `text` holds a sequence of characters that is much more likely to come from a wrong
// encoding than from a writer: lower-case letters with accents before currency signs, for example.
// The same as is_bad() of ftfy 6.3.1, which defines it as one regular expression.
bool is_bad(std::u32string_view text);

}  // namespace rr::internal
