#include "rr/lm_remote/internal/probe.h"

#include <utility>

#include "rr/base/json.h"

namespace rr::internal {
namespace {

constexpr std::size_t kMostBytes = 4 << 20;

struct Answer {
  HttpOutcome outcome;
  std::string body;
  std::string error_body;
};

Answer get(const std::string& url, const HttpSettings& settings) {
  Answer answer;
  HttpCall call(url, "", settings, [&answer](std::string_view bytes, bool) -> Status {
    if (answer.body.size() + bytes.size() > kMostBytes) {
      return Error{Errc::kRejected, "the list of models is too large", ""};
    }
    answer.body += bytes;
    return ok_status();
  });
  curl_easy_setopt(call.handle(), CURLOPT_TIMEOUT_MS, static_cast<long>(2000 * settings.connect_s));
  answer.outcome = call.outcome(curl_easy_perform(call.handle()));
  answer.error_body = call.error_body();
  return answer;
}

bool is_answered(const Answer& answer) {
  return answer.outcome.curl == CURLE_OK && answer.outcome.status == 200;
}

// vLLM says its version beside the API: http://host:8000/version.
std::string version_of(std::string address, const HttpSettings& settings) {
  constexpr std::string_view kApi = "/v1";
  if (address.ends_with(kApi)) address.resize(address.size() - kApi.size());
  const Answer answer = get(address + "/version", settings);
  if (!is_answered(answer)) return "";
  const auto json = parse_json(answer.body, address);
  if (!json.ok()) return "";
  const auto version = json_string(json.value(), "version", address);
  return version.ok() ? version.value() : "";
}

bool has_no_list(const HttpOutcome& outcome) {
  return outcome.curl == CURLE_OK && outcome.location.empty() && outcome.status >= 400 &&
         outcome.status < 500 && outcome.status != 401 && outcome.status != 403 &&
         outcome.status != 408 && outcome.status != 429;
}

}  // namespace

Result<Probed> read_probe(const std::string& body, const std::string& version,
                          const std::string& address) {
  RR_TRY(const Json json, parse_json(body, address));
  RR_TRY(ServedModels served, read_served_models(json, address));
  return Probed{std::move(served.names), dialect_of(served.kind, version),
                server_name(served.kind, version)};
}

std::optional<Probed> probe(const std::string& address, const HttpSettings& settings,
                            Failure& failure) {
  const Answer answer = get(address + "/models", settings);
  if (has_no_list(answer.outcome)) return Probed{};
  if (!is_answered(answer)) {
    failure = failure_of(answer.outcome, answer.error_body, address, settings.key);
    return std::nullopt;
  }
  auto probed = read_probe(answer.body, "", address);
  if (!probed.ok()) {
    failure = {Remedy::kNone, probed.error(), {}};
    return std::nullopt;
  }
  if (probed.value().dialect.kind != ServerKind::kVllm) return std::move(probed).value();
  return read_probe(answer.body, version_of(address, settings), address).value();
}

}  // namespace rr::internal
