#pragma once

#include <optional>
#include <string>

#include "rr/base/result.h"
#include "rr/lm_remote/internal/http_call.h"

namespace rr::internal {

// What a call that brought no answer means for its request and its endpoint.
enum class Remedy {
  kRetry,      // broken off, or the server failed: try again, a few times
  kReconnect,  // the server was not reached: try again until the deadline
  kWait,       // the server has too much to do: later, until the deadline
  kNone,       // it would fail again
};

struct Failure {
  Remedy remedy;
  Error error;  // kUnavailable, or of Remedy::kNone kRejected or kMalformed
  std::optional<double> retry_after_s;
};

// Of a call that ended without an answer: curl's failure, or a status other than 200. error_body is
// what came with it. The key is taken out of all that is said.
Failure failure_of(const HttpOutcome& outcome, const std::string& error_body,
                   const std::string& where, const std::string& key);

// The sentence in a server's body of an error: {"error": {"message"}}, {"message"}, {"detail"} or
// text; one line, of at most 300 characters.
std::string server_message(const std::string& body);

}  // namespace rr::internal
