#pragma once

#include <string>

#include "rr/text/internal/characters.h"

namespace rr::internal {

// Steps 3 to 10 of fix_text(), each run only where a character asks for it. `seen`: the traits of
// `text`.
void fix_characters(std::u32string& text, Traits seen, const Characters& characters);

// U+0080 to U+009F become what Windows-1252 has there; the five that it leaves free stay.
void fix_c1_controls(std::u32string& text);

}  // namespace rr::internal
