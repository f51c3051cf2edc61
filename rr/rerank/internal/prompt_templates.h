#pragma once

#include <string_view>

namespace rr::internal {

// The text of prompts/<name>.txt as it was when the program was built. Requires that there is one.
std::string_view prompt_template_text(std::string_view name);

}  // namespace rr::internal
