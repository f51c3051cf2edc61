#pragma once

#include <fmt/core.h>

#include <string>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/train/learning_settings.h"

namespace rr::internal {

// The one list of the names of what all kinds have in common: visit(name, field).
template <typename Settings, typename Visit>
void for_each_learning_setting(Settings& settings, const Visit& visit) {
  visit("model", settings.model);
  visit("chat-template", settings.chat_template);
  visit("mode", settings.mode);
  visit("passage-tokens", settings.passage_tokens);
  visit("lr", settings.lr);
  visit("schedule", settings.schedule);
  visit("warmup", settings.warmup);
  visit("weight-decay", settings.weight_decay);
  visit("clip", settings.clip);
  visit("precision", settings.precision);
  visit("row-tokens", settings.row_tokens);
  visit("lora", settings.lora);
  visit("lora-alpha", settings.lora_alpha);
  visit("seed", settings.seed);
  visit("save-every", settings.save_every);
  visit("keep", settings.keep);
  visit("validate-every", settings.validate_every);
  visit("samples", settings.samples);
}

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
