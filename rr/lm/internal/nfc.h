#pragma once

#include <string>
#include <string_view>

namespace rr::internal {

// True only where `text` is in Unicode's normal form C for certain, told by a glance at its bytes:
// all code points below U+0300 are. False says nothing.
bool is_surely_nfc(std::string_view text);

// Normal form C (Unicode Standard Annex 15) of valid UTF-8. Takes n log n, also for text that is
// nothing but combining marks.
std::string to_nfc(std::string_view text);

}  // namespace rr::internal
