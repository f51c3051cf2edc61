#include "rr/lm_remote/internal/failure.h"

#include <fmt/core.h>

#include "rr/base/json.h"
#include "rr/base/utf8.h"

namespace rr::internal {
namespace {

constexpr std::size_t kMostMessageBytes = 300;

Remedy remedy_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
      return Remedy::kReconnect;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_OUT_OF_MEMORY:
      return Remedy::kNone;
    default:
      return Remedy::kRetry;
  }
}

Remedy remedy_of(long status, const std::string& message) {
  if (status == 429) {
    // OpenAI's word for an account without money: no wait helps.
    const bool is_out_of_money = message.find("insufficient_quota") != std::string::npos ||
                                 message.find("exceeded your current quota") != std::string::npos;
    return is_out_of_money ? Remedy::kNone : Remedy::kWait;
  }
  if (status == 503 || status == 529) return Remedy::kWait;
  const bool may_pass = status == 408 || status == 425 || status >= 500;
  return may_pass ? Remedy::kRetry : Remedy::kNone;
}

// White space becomes blanks; cut to a readable length.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : repair_utf8(text).text) {
    const bool is_space = static_cast<unsigned char>(c) <= ' ' || c == 0x7F;
    if (!is_space) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (line.ends_with(' ') || line.ends_with('.')) line.pop_back();
  if (line.size() <= kMostMessageBytes) return line;
  line.resize(kMostMessageBytes);
  line.resize(line.size() - incomplete_utf8_tail(line));
  return line + "…";
}

std::string text_in(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array() && !value.empty()) return text_in(value.front());  // FastAPI's "detail"
  if (!value.is_object()) return "";
  for (const char* key : {"error", "message", "msg", "detail"}) {
    if (!value.contains(key)) continue;
    const std::string text = text_in(value[key]);
    if (!text.empty()) return text;
  }
  return "";
}

}  // namespace

std::string server_message(const std::string& body) {
  const auto json = parse_json(body, "");
  if (json.ok()) return one_line(text_in(json.value()));
  const std::string line = one_line(body);
  return line.starts_with('<') ? "a page of HTML" : line;
}

Failure failure_of(const HttpOutcome& outcome, const std::string& error_body,
                   const std::string& where, const std::string& key) {
  if (outcome.curl != CURLE_OK) {
    const Remedy remedy = remedy_of(outcome.curl);
    const Errc code = remedy == Remedy::kNone ? Errc::kRejected : Errc::kUnavailable;
    return {remedy, {code, one_line(without_key(outcome.curl_message, key)), where}, {}};
  }
  if (!outcome.location.empty()) {
    return {Remedy::kNone,
            {Errc::kRejected,
             fmt::format("the server answers at another address; give that as the endpoint: {}",
                         outcome.location),
             where},
            {}};
  }
  const std::string message = server_message(without_key(error_body, key));
  const Remedy remedy = remedy_of(outcome.status, error_body);
  const Errc code = remedy == Remedy::kNone ? Errc::kRejected : Errc::kUnavailable;
  std::string text = fmt::format("HTTP {}", outcome.status);
  if (!message.empty()) text += ": " + message;
  if (outcome.status == 401 || outcome.status == 403) {
    text += key.empty() ? "; the server wants a key" : "; is the key right, and not expired?";
  }
  return {remedy, {code, std::move(text), where}, outcome.retry_after_s};
}

}  // namespace rr::internal
