#pragma once

#include <string>
#include <string_view>

#include "rr/base/json.h"

namespace rr::internal {

// Text as it may stand in HTML, between tags and in quoted attributes: & < > " ' become references,
// ill-formed UTF-8 and control characters other than tab and line feed U+FFFD.
std::string html_text(std::string_view text);

// JSON as it may stand in <script type="application/json">: no '<', '>' or '&' is left in it, so it
// can neither end the element nor open a comment.
std::string json_in_html(const Json& json);

// "sha256-...": the source of an inline script or style as a content security policy names it.
std::string csp_hash(std::string_view source);

}  // namespace rr::internal
