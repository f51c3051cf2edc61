#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "rr/base/result.h"

namespace rr::internal {

struct HttpSettings {
  double connect_s = 10;
  std::string key;    // of the header "Authorization"; empty: none
  std::string proxy;  // as RemoteOptions says
  std::string ca_file;
};

// What came back of a call, as far as curl and HTTP can say.
struct HttpOutcome {
  CURLcode curl = CURLE_OK;
  std::string curl_message;             // of a failure, for people
  long status = 0;                      // 0: no answer came
  std::optional<double> retry_after_s;  // what the server asked for
  std::string location;                 // of a redirect, which is not followed
};

// One HTTP request and its answer: a POST with `body`, or a GET where that is empty. The bytes of a
// body with status 200 go to the receiver, which may refuse them; of others the beginning is kept.
class HttpCall {
 public:
  // is_stream: the content type says server-sent events. Called with each piece of a body.
  using Receiver = std::function<Status(std::string_view bytes, bool is_stream)>;

  HttpCall(const std::string& url, std::string body, const HttpSettings& settings,
           Receiver receiver);
  ~HttpCall();
  HttpCall(const HttpCall&) = delete;
  HttpCall& operator=(const HttpCall&) = delete;

  // For curl's interfaces; CURLOPT_PRIVATE is the user's.
  CURL* handle() const { return handle_; }

  // After curl has said that the call is over.
  HttpOutcome outcome(CURLcode code) const;

  std::size_t received() const { return received_; }  // bytes of the body
  const std::string& error_body() const { return error_body_; }
  const std::optional<Error>& refused() const { return refused_; }  // by the receiver
  bool is_stream() const;

 private:
  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self);
  bool take(std::string_view bytes);

  CURL* handle_;
  curl_slist* headers_ = nullptr;
  std::string body_;
  Receiver receiver_;
  std::size_t received_ = 0;
  std::string error_body_;
  std::optional<Error> refused_;
  std::unique_ptr<char[]> curl_message_;
};

// For every thread that runs calls: a server that goes while it is written to is an error of the
// call, and must not end the program (SIGPIPE).
void hold_back_sigpipe();

// A key that cannot stand in a header is refused, without repeating it.
Status check_key(const std::string& key);

// Takes every occurrence of the key out of a text.
std::string without_key(std::string text, const std::string& key);

// "http://host:8000/v1" without a slash at its end. Refused: what is no such address, and one that
// holds a user name, password, query or fragment.
Result<std::string> endpoint_address(const std::string& text);

}  // namespace rr::internal
