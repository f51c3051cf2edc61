#pragma once

#include <string>
#include <string_view>

#include "rr/base/json.h"

namespace rr::internal {

// A name from a file that is not trusted, for a message: in quotes, on one line, without control
// characters, cut where it is long.
inline std::string in_quotes(std::string_view name) {
  constexpr std::size_t kMaxBytes = 120;
  const bool is_long = name.size() > kMaxBytes;
  std::string shown(name.substr(0, kMaxBytes));
  if (is_long) shown += "...";
  return to_json_line(Json(std::move(shown)));
}

}  // namespace rr::internal
