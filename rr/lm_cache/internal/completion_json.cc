#include "rr/lm_cache/internal/completion_json.h"

#include <cmath>
#include <limits>
#include <optional>

#include "rr/base/json.h"

namespace rr::internal {
namespace {

constexpr const char* kPlace = "a stored answer";

std::optional<StopReason> find_stop_reason(const std::string& name) {
  for (const StopReason reason : {StopReason::kEnd, StopReason::kStop, StopReason::kLength,
                                  StopReason::kCancelled, StopReason::kFailed}) {
    if (name == stop_reason_name(reason)) return reason;
  }
  return std::nullopt;
}

Json number_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json stage_to_json(const StageReport& stage) {
  Json json = {{"tokens", stage.num_tokens},
               {"forced", stage.num_forced},
               {"stop", stop_reason_name(stage.stop)}};
  if (stage.choices.empty()) return json;
  Json& choices = json["choices"] = Json::array();
  for (const IdentifierChoice& choice : stage.choices) {
    choices.push_back({choice.identifier, choice.logprob});
  }
  return json;
}

Result<StopReason> read_stop(const Json& json) {
  RR_TRY(const std::string name, json_string(json, "stop", kPlace));
  const auto reason = find_stop_reason(name);
  if (reason) return *reason;
  return Error{Errc::kMalformed, "expected a stop reason, found \"" + name + "\"", kPlace};
}

Result<StageReport> stage_from_json(const Json& json) {
  StageReport stage;
  RR_TRY(stage.stop, read_stop(json));
  stage.num_tokens = json.at("tokens").get<std::size_t>();
  stage.num_forced = json.at("forced").get<std::size_t>();
  if (!json.contains("choices")) return stage;
  for (const Json& choice : json.at("choices")) {
    stage.choices.push_back({choice.at(0).get<std::size_t>(), choice.at(1).get<double>()});
  }
  return stage;
}

// Absent in files of earlier programs.
void read_seconds(const Json& json, Completion& completion) {
  if (!json.contains("seconds")) return;
  completion.prefill_s = json["seconds"].at("prefill").get<double>();
  completion.decode_s = json["seconds"].at("decode").get<double>();
}

Result<Completion> read_fields(const Json& json) {
  Completion completion;
  RR_TRY(completion.text, json_string(json, "text", kPlace));
  RR_TRY(completion.stop, read_stop(json));
  completion.prompt_tokens = json.at("prompt_tokens").get<std::size_t>();
  read_seconds(json, completion);
  for (const Json& one : json.at("stages")) {
    RR_TRY(StageReport stage, stage_from_json(one));
    completion.stages.push_back(std::move(stage));
  }
  if (!json.contains("ids")) return completion;
  completion.ids = json.at("ids").get<TokenIds>();
  for (const Json& logprob : json.at("logprobs")) {
    completion.token_logprobs.push_back(logprob.is_null() ? std::numeric_limits<float>::quiet_NaN()
                                                          : logprob.get<float>());
  }
  return completion;
}

}  // namespace

std::string completion_to_json(const Completion& completion) {
  Json json = {{"text", completion.text},
               {"stop", stop_reason_name(completion.stop)},
               {"prompt_tokens", completion.prompt_tokens},
               {"seconds", {{"prefill", completion.prefill_s}, {"decode", completion.decode_s}}},
               {"stages", Json::array()}};
  for (const StageReport& stage : completion.stages) json["stages"].push_back(stage_to_json(stage));
  if (!completion.ids.empty()) {
    json["ids"] = completion.ids;
    Json& logprobs = json["logprobs"] = Json::array();
    for (const float logprob : completion.token_logprobs) {
      logprobs.push_back(number_or_null(static_cast<double>(logprob)));
    }
  }
  return to_json_line(json);
}

Result<Completion> completion_from_json(std::string_view text) {
  RR_TRY(const Json json, parse_json(text, kPlace));
  try {
    return read_fields(json);
  } catch (const Json::exception& error) {
    return Error{Errc::kMalformed, error.what(), kPlace};
  }
}

}  // namespace rr::internal
