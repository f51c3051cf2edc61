#pragma once

#include <fmt/core.h>

#include <string>

#include "rr/base/json.h"
#include "rr/base/result.h"

namespace rr::internal {

// Settings of a run as JSON and back, for a type whose fields for_each_setting(settings, visit)
// goes through: visit(name, field). Every field has to be there.
template <typename Settings>
Json settings_to_json(const Settings& settings) {
  Json json = Json::object();
  for_each_setting(settings, [&](const char* name, const auto& value) { json[name] = value; });
  return json;
}

template <typename Settings>
Result<Settings> settings_from_json(const Json& json, const std::string& where) {
  Settings settings;
  try {
    for_each_setting(settings, [&](const char* name, auto& value) { json.at(name).get_to(value); });
  } catch (const Json::exception& error) {
    return Error{Errc::kMalformed,
                 fmt::format("expected the settings of a run of this version, found others ({})",
                             error.what()),
                 where};
  }
  return settings;
}

}  // namespace rr::internal
