#pragma once

#include <string>

namespace rr::internal {

// Replaces each HTML entity that ends in ';' by what it stands for, in one pass: what a replacement
// brings in is not looked at again. Named entities of HTML5 with names up to 24 characters, names
// in capitals where HTML5 has only the small ones ("&NTILDE;"), and numeric references.
void unescape_html(std::u32string& text);

}  // namespace rr::internal
