#pragma once

#include <string>
#include <string_view>

namespace rr::internal {

// Requires valid UTF-8.
std::u32string to_code_points(std::string_view utf8);

// Requires no surrogates.
void append_code_points(std::string& utf8, std::u32string_view text);

}  // namespace rr::internal
