#pragma once

#include <string_view>

namespace rr::internal {

// What Python's string methods do in the models' Jinja templates.

// str.lstrip("\n") and str.rstrip("\n").
std::string_view strip_newlines_left(std::string_view text);
std::string_view strip_newlines_right(std::string_view text);

// str.strip(), Jinja's `trim`: every character for which str.isspace() holds, at both ends.
// Requires valid UTF-8.
std::string_view strip_white_space(std::string_view text);

}  // namespace rr::internal
