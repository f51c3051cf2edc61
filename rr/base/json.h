#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "rr/base/result.h"

namespace rr {

using Json = nlohmann::ordered_json;

// One JSON value, whole. Invalid UTF-8 inside is repaired first (utf8.h); *repaired, where given,
// grows by the number of replaced sequences. Nesting deeper than 200 levels, text after the value
// and a repeated key in one object are refused. `where` names the place in messages.
Result<Json> parse_json(std::string_view text, const std::string& where,
                        std::size_t* repaired = nullptr);

// A field of an object, with a message that names it when it is absent or of another type.
// json_id takes a string, or an integer written as its digits: ids come as both.
Result<std::string> json_string(const Json& object, std::string_view key, const std::string& where);
Result<std::string> json_id(const Json& object, std::string_view key, const std::string& where);

// One line, keys in the order in which they were set. Strings must be valid UTF-8 or are repaired.
std::string to_json_line(const Json& value);

}  // namespace rr
