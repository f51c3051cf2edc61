#include "rr/fusion/settings_file.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "rr/base/file.h"

namespace rr {
namespace {

constexpr std::string_view kFormat = "reasonrank fusion settings";

template <typename Value>
struct Named {
  std::string_view name;
  Value value;
};

constexpr std::array kMethods = {Named<FusionMethod>{"rrf", FusionMethod::kReciprocalRank},
                                 Named<FusionMethod>{"linear", FusionMethod::kLinear}};
constexpr std::array kNormalizations = {Named<Normalization>{"minmax", Normalization::kMinMax},
                                        Named<Normalization>{"zmuv", Normalization::kZmuv},
                                        Named<Normalization>{"none", Normalization::kNone}};
constexpr std::array kAbsentScores = {Named<AbsentScore>{"zero", AbsentScore::kZero},
                                      Named<AbsentScore>{"lowest", AbsentScore::kLowest}};

template <typename List, typename Value>
std::string name_in(const List& list, Value value) {
  for (const auto& named : list) {
    if (named.value == value) return std::string(named.name);
  }
  RR_CHECK(false, "every choice has a name");
}

template <typename Value, std::size_t kCount>
Result<Value> value_in(const std::array<Named<Value>, kCount>& list, const Json& object,
                       const char* key, const std::string& where) {
  RR_TRY(const std::string name, json_string(object, key, where));
  std::vector<std::string_view> names;
  for (const auto& named : list) {
    if (named.name == name) return named.value;
    names.push_back(named.name);
  }
  return Error{Errc::kMalformed,
               fmt::format("expected \"{}\" to be one of {}, found \"{}\"", key,
                           fmt::join(names, ", "), name),
               where};
}

Result<double> finite_number(const Json& value, const char* what, const std::string& where) {
  if (value.is_number() && std::isfinite(value.get<double>())) return value.get<double>();
  return Error{Errc::kMalformed, fmt::format("expected {} to be a finite number", what), where};
}

Json json_of(const FusionOptions& options) {
  Json json = {{"method", name_in(kMethods, options.method)}};
  if (options.method == FusionMethod::kReciprocalRank) {
    json["rrf_k"] = options.rrf_k;
  } else {
    json["normalize"] = name_in(kNormalizations, options.normalization);
    json["absent"] = name_in(kAbsentScores, options.absent);
  }
  json["weights"] = options.weights;
  return json;
}

Json json_of(const Tuning& tuning, const Measure& measure) {
  Json folds = Json::array();
  for (const TunedFold& fold : tuning.folds) {
    folds.push_back({{"held_out_topics", fold.num_held_out},
                     {"chosen", json_of(fold.chosen)},
                     {"trained", fold.trained},
                     {"held_out", fold.held_out}});
  }
  return {{"measure", name_of(measure)},     {"topics", tuning.num_topics},
          {"candidates", tuning.candidates}, {"in_sample", tuning.in_sample},
          {"held_out", tuning.held_out},     {"untuned", tuning.untuned},
          {"alone", tuning.alone},           {"folds", std::move(folds)}};
}

Status read_parameters(const Json& json, const std::string& where, FusionOptions& options) {
  RR_TRY(options.method, value_in(kMethods, json, "method", where));
  if (options.method == FusionMethod::kReciprocalRank) {
    const auto k = json.find("rrf_k");
    if (k == json.end()) return ok_status();
    RR_TRY(options.rrf_k, finite_number(*k, "\"rrf_k\"", where));
    if (options.rrf_k >= 0) return ok_status();
    return Error{Errc::kMalformed, "expected \"rrf_k\" to be at least 0", where};
  }
  RR_TRY(options.normalization, value_in(kNormalizations, json, "normalize", where));
  RR_TRY(options.absent, value_in(kAbsentScores, json, "absent", where));
  return ok_status();
}

}  // namespace

std::string format_fusion_settings(const FusionSettings& settings, const Tuning* tuning,
                                   const Measure& measure) {
  Json json = {{"format", kFormat}, {"runs", settings.runs}};
  json.update(json_of(settings.options));
  if (tuning != nullptr) json["tuning"] = json_of(*tuning, measure);
  return to_json_line(json) + "\n";
}

Result<FusionSettings> read_fusion_settings(const std::filesystem::path& path) {
  RR_TRY(const std::string text, read_file(path));
  const std::string where = display_name(path);
  RR_TRY(const Json json, parse_json(text, where));
  RR_TRY(const std::string format, json_string(json, "format", where));
  if (format != kFormat) {
    return Error{Errc::kMalformed,
                 fmt::format("expected the format \"{}\", found \"{}\"", kFormat, format), where};
  }
  FusionSettings settings;
  RR_TRY_STATUS(read_parameters(json, where, settings.options));
  const auto weights = json.find("weights");
  if (weights == json.end() || !weights->is_array() || weights->empty()) {
    return Error{Errc::kMalformed, "expected a list \"weights\"", where};
  }
  for (const Json& weight : *weights) {
    RR_TRY(const double number, finite_number(weight, "a weight", where));
    settings.options.weights.push_back(number);
  }
  const auto runs = json.find("runs");
  if (runs == json.end() || !runs->is_array()) return settings;
  for (const Json& run : *runs) {
    if (run.is_string()) settings.runs.push_back(run.get<std::string>());
  }
  return settings;
}

std::string as_command_line(const FusionOptions& options) {
  std::string text = "--method " + name_in(kMethods, options.method);
  if (options.method == FusionMethod::kReciprocalRank) {
    text += fmt::format(" --rrf-k {}", options.rrf_k);
  } else {
    text +=
        fmt::format(" --normalize {} --absent {}", name_in(kNormalizations, options.normalization),
                    name_in(kAbsentScores, options.absent));
  }
  if (options.weights.empty()) return text;
  return text + fmt::format(" --weights {}", fmt::join(options.weights, ","));
}

}  // namespace rr
