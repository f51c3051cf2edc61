#include "rr/lm_remote/internal/http_call.h"

#include <fmt/core.h>
#include <signal.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "rr/base/check.h"

namespace rr::internal {
namespace {

constexpr std::size_t kErrorBodyBytes = 64 * 1024;

// curl's own set-up: once, before any thread uses it.
void start_curl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  RR_CHECK(started == CURLE_OK, "curl starts");
}

template <typename Value>
void set(CURL* handle, CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(handle, option, value);
  RR_CHECK(code == CURLE_OK, "an option that this curl knows");
}

long milliseconds(double seconds) { return static_cast<long>(std::max(1.0, seconds * 1000)); }

template <typename Value>
Value info(CURL* handle, CURLINFO what, Value value) {
  return curl_easy_getinfo(handle, what, &value) == CURLE_OK ? value : Value{};
}

std::string text_info(CURL* handle, CURLINFO what) {
  const char* text = info<const char*>(handle, what, nullptr);
  return text == nullptr ? "" : text;
}

}  // namespace

HttpCall::HttpCall(const std::string& url, std::string body, const HttpSettings& settings,
                   Receiver receiver)
    : body_(std::move(body)),
      receiver_(std::move(receiver)),
      curl_message_(std::make_unique<char[]>(CURL_ERROR_SIZE)) {
  start_curl();
  handle_ = curl_easy_init();
  RR_CHECK(handle_ != nullptr, "memory for a curl handle");
  set(handle_, CURLOPT_URL, url.c_str());
  set(handle_, CURLOPT_NOSIGNAL, 1L);
  set(handle_, CURLOPT_PROTOCOLS_STR, "http,https");
  set(handle_, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
  // The first handshake tells whether one connection takes many calls; without waiting for it,
  // calls that start together make a connection each. Without TLS only the first answer would tell.
  set(handle_, CURLOPT_PIPEWAIT, url.starts_with("https:") ? 1L : 0L);
  set(handle_, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(settings.connect_s));
  set(handle_, CURLOPT_TCP_KEEPALIVE, 1L);
  set(handle_, CURLOPT_USERAGENT, "reasonrank");
  set(handle_, CURLOPT_ERRORBUFFER, curl_message_.get());
  set(handle_, CURLOPT_WRITEFUNCTION, &HttpCall::on_body);
  set(handle_, CURLOPT_WRITEDATA, this);
  if (settings.proxy == "none") {
    set(handle_, CURLOPT_PROXY, "");
  } else if (!settings.proxy.empty()) {
    set(handle_, CURLOPT_PROXY, settings.proxy.c_str());
  }
  if (!settings.ca_file.empty()) set(handle_, CURLOPT_CAINFO, settings.ca_file.c_str());
  if (!body_.empty()) {
    set(handle_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
    set(handle_, CURLOPT_POSTFIELDS, body_.c_str());
    headers_ = curl_slist_append(headers_, "Content-Type: application/json");
    headers_ = curl_slist_append(headers_, "Expect:");  // or curl waits before a large body
  }
  if (!settings.key.empty()) {
    headers_ = curl_slist_append(headers_, ("Authorization: Bearer " + settings.key).c_str());
  }
  set(handle_, CURLOPT_HTTPHEADER, headers_);
}

HttpCall::~HttpCall() {
  curl_easy_cleanup(handle_);
  curl_slist_free_all(headers_);
}

std::size_t HttpCall::on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  const std::size_t total = size * count;
  return static_cast<HttpCall*>(self)->take({bytes, total}) ? total : 0;
}

bool HttpCall::take(std::string_view bytes) {
  received_ += bytes.size();
  if (info<long>(handle_, CURLINFO_RESPONSE_CODE, 0) != 200) {
    error_body_ += bytes.substr(0, kErrorBodyBytes - std::min(kErrorBodyBytes, error_body_.size()));
    return true;
  }
  const Status taken = receiver_(bytes, is_stream());
  if (!taken.ok()) refused_ = taken.error();
  return taken.ok();
}

bool HttpCall::is_stream() const {
  return text_info(handle_, CURLINFO_CONTENT_TYPE).starts_with("text/event-stream");
}

HttpOutcome HttpCall::outcome(CURLcode code) const {
  HttpOutcome outcome;
  outcome.curl = code;
  if (code != CURLE_OK) {
    const std::string message = curl_message_.get();
    outcome.curl_message = message.empty() ? curl_easy_strerror(code) : message;
    const long reason = info<long>(handle_, CURLINFO_OS_ERRNO, 0);
    if (code == CURLE_COULDNT_CONNECT && reason != 0) {
      outcome.curl_message +=
          fmt::format(" ({})", std::generic_category().message(static_cast<int>(reason)));
    }
  }
  outcome.status = info<long>(handle_, CURLINFO_RESPONSE_CODE, 0);
  outcome.location = text_info(handle_, CURLINFO_REDIRECT_URL);
  const auto wait = info<curl_off_t>(handle_, CURLINFO_RETRY_AFTER, 0);
  if (wait > 0) outcome.retry_after_s = static_cast<double>(wait);
  return outcome;
}

void hold_back_sigpipe() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

Status check_key(const std::string& key) {
  const bool is_printable =
      std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 0x7F; });
  if (is_printable) return ok_status();
  return Error{Errc::kRejected,
               "expected a key of printable ASCII characters without blanks, found another one "
               "among them (a line break at its end?)",
               ""};
}

std::string without_key(std::string text, const std::string& key) {
  if (key.empty()) return text;
  for (std::size_t at = 0; (at = text.find(key, at)) != std::string::npos;) {
    text.replace(at, key.size(), "(key)");
  }
  return text;
}

Result<std::string> endpoint_address(const std::string& text) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  const auto part = [&url](CURLUPart what) {
    char* value = nullptr;
    const bool is_there = curl_url_get(url.get(), what, &value, 0) == CURLUE_OK;
    const std::string copy = is_there && value != nullptr ? value : "";
    curl_free(value);
    return copy;
  };
  const bool is_url = curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) == CURLUE_OK &&
                      (part(CURLUPART_SCHEME) == "http" || part(CURLUPART_SCHEME) == "https");
  if (is_url && (!part(CURLUPART_USER).empty() || !part(CURLUPART_PASSWORD).empty())) {
    return Error{Errc::kRejected, "expected an address without user name and password, found them",
                 part(CURLUPART_HOST)};
  }
  if (!is_url || !part(CURLUPART_QUERY).empty() || !part(CURLUPART_FRAGMENT).empty()) {
    return Error{Errc::kRejected,
                 fmt::format("expected a server's address such as http://host:8000/v1, found "
                             "\"{}\"",
                             text),
                 ""};
  }
  std::string address = text;
  while (address.ends_with('/')) address.pop_back();
  return address;
}

}  // namespace rr::internal
