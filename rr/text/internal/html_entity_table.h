#pragma once

namespace rr::internal {

// "AElig=C6 AMP=26 ...": names without '&' and ';', with code points in hexadecimal joined by '+'.
extern const char* const kHtmlEntities;

}  // namespace rr::internal
