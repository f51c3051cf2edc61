#pragma once

#include <string>

#include "rr/base/result.h"

namespace rr {

// Columns of the terminal that standard output is; 100 where it is none, or very narrow.
std::size_t terminal_width();

// All of `text`, at once: a full disk or a closed pipe is said.
Status write_to_stdout(const std::string& text);

}  // namespace rr
