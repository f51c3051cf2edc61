#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/lm/generator.h"

namespace rr::internal {

// A token as a server reports it, with the likeliest ones at its place (itself among them or not).
struct TokenChoice {
  std::string token;
  double logprob = 0;
  std::vector<std::pair<std::string, double>> likeliest;
};

// What a server said to one call.
struct Reply {
  std::string thoughts;  // where they came apart from the answer
  std::string content;
  std::string finish;     // "stop", "length", ...; "" where it was not said
  std::string stop_text;  // the stop string that matched, where it was said
  bool usage_known = false;
  std::size_t prompt_tokens = 0;
  std::size_t completion_tokens = 0;
  std::vector<TokenChoice> tokens;  // of the content, where asked for and given
  std::size_t repaired = 0;         // ill-formed UTF-8 sequences
};

// "<think>\n" thoughts "\n</think>\n" content; the content alone where there are no thoughts.
std::string text_of(const Reply& reply);

// Takes a body of /chat/completions or /completions as it comes, a JSON object or a stream of
// server-sent events: whichever the content type says.
class ReplyReader {
 public:
  using TextSink = std::function<void(std::string_view)>;

  // `where` names the server in errors; `sink` gets text_of(reply) bit by bit, of a stream.
  ReplyReader(bool is_stream, std::size_t max_bytes, std::string where, TextSink sink);

  // Fails where the answer is too large (kRejected), no JSON or of another shape (kMalformed), or
  // an error that the server reports in the middle of a stream (kUnavailable, or kRejected where
  // its code is one of 400 to 499). Takes no more then.
  Status feed(std::string_view bytes);

  // After the last byte. kUnavailable: a stream that ended before the answer did.
  Result<Reply> finish();

 private:
  Status take_line(std::string_view line);
  Status take_event(const std::string& data);
  Status take_delta(const Json& choice);
  void tell(std::string_view text);

  bool is_stream_;
  std::size_t max_bytes_;
  std::string where_;
  TextSink sink_;
  std::size_t num_bytes_ = 0;
  std::string pending_;  // a body, or the beginning of a line
  std::string data_;     // of the event under way
  bool is_done_ = false;
  bool closed_thoughts_ = false;
  Reply reply_;
};

// The choices of an order from the tokens of the answer that holds it: each identifier's
// probability among those still open, by the chain rule over its tokens; at each place the tokens
// that lead to an identifier still open share the mass. Alternatives beyond the likeliest that the
// server reports count as 0. Looks after the last "<answer>", where there is one. Empty unless the
// text names each of 1..size once.
std::vector<IdentifierChoice> choices_from_tokens(const std::vector<TokenChoice>& tokens,
                                                  std::size_t size);

}  // namespace rr::internal
