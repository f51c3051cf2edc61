#include "rr/lm_remote/internal/reply.h"

#include <fmt/core.h>

#include <cmath>

#include "rr/base/utf8.h"

namespace rr::internal {
namespace {

constexpr std::string_view kOpenThoughts = "<think>\n";

std::string closing_of(std::string_view thoughts) {
  return thoughts.empty() || thoughts.back() == '\n' ? "</think>\n" : "\n</think>\n";
}

const Json* find(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

// A text that may be absent or null; nothing else may stand there.
Result<std::string> optional_text(const Json& object, const char* key, const std::string& where) {
  const Json* value = find(object, key);
  if (value == nullptr) return std::string();
  if (value->is_string()) return value->get<std::string>();
  return Error{
      Errc::kMalformed,
      fmt::format("expected the server's \"{}\" to be a text, found {}", key, value->type_name()),
      where};
}

std::size_t count_in(const Json& object, const char* key) {
  const Json* value = find(object, key);
  const bool is_count = value != nullptr && value->is_number_integer() && value->get<double>() >= 0;
  return is_count ? value->get<std::size_t>() : 0;
}

void read_usage(const Json& body, Reply& reply) {
  const Json* usage = find(body, "usage");
  if (usage == nullptr || find(*usage, "prompt_tokens") == nullptr) return;
  reply.usage_known = true;
  reply.prompt_tokens = count_in(*usage, "prompt_tokens");
  reply.completion_tokens = count_in(*usage, "completion_tokens");
}

// "stop_reason" is vLLM's, "matched_stop" SGLang's; both may hold a token's number instead.
void read_end(const Json& choice, Reply& reply) {
  if (const Json* finish = find(choice, "finish_reason"); finish && finish->is_string()) {
    reply.finish = finish->get<std::string>();
  }
  for (const char* key : {"stop_reason", "matched_stop"}) {
    const Json* matched = find(choice, key);
    if (matched != nullptr && matched->is_string()) reply.stop_text = matched->get<std::string>();
  }
}

// What is there that has the shape of log-probabilities; scores are no reason to refuse an answer.
void read_tokens(const Json& choice, Reply& reply) {
  const Json* logprobs = find(choice, "logprobs");
  const Json* content = logprobs == nullptr ? nullptr : find(*logprobs, "content");
  if (content == nullptr || !content->is_array()) return;
  const auto read = [](const Json& json) -> std::optional<std::pair<std::string, double>> {
    const Json* token = find(json, "token");
    const Json* logprob = find(json, "logprob");
    if (token == nullptr || !token->is_string()) return std::nullopt;
    if (logprob == nullptr || !logprob->is_number()) return std::nullopt;
    return std::pair(token->get<std::string>(), logprob->get<double>());
  };
  for (const Json& one : *content) {
    const auto token = read(one);
    if (!token) continue;
    TokenChoice choice_here{token->first, token->second, {}};
    if (const Json* top = find(one, "top_logprobs"); top != nullptr && top->is_array()) {
      for (const Json& other : *top) {
        if (auto likely = read(other)) choice_here.likeliest.push_back(std::move(*likely));
      }
    }
    reply.tokens.push_back(std::move(choice_here));
  }
}

Result<std::string> thoughts_in(const Json& message, const std::string& where) {
  RR_TRY(std::string thoughts, optional_text(message, "reasoning_content", where));
  if (!thoughts.empty()) return thoughts;
  return optional_text(message, "reasoning", where);
}

// "content", or where the model declined, "refusal".
Result<std::string> content_in(const Json& message, const std::string& where) {
  RR_TRY(std::string content, optional_text(message, "content", where));
  if (!content.empty()) return content;
  return optional_text(message, "refusal", where);
}

Error reported_error(const Json& error, const std::string& where) {
  std::string message = "no reason given";
  Errc code = Errc::kUnavailable;
  if (error.is_string()) message = error.get<std::string>();
  if (const Json* text = find(error, "message"); text && text->is_string()) {
    message = text->get<std::string>();
  }
  if (const Json* number = find(error, "code"); number && number->is_number_integer()) {
    const int status = number->get<int>();
    if (status >= 400 && status < 500) code = Errc::kRejected;
  }
  return {code, "the server failed: " + message, where};
}

Error wrong_shape(const char* expected, const std::string& where) {
  return {Errc::kMalformed,
          fmt::format("expected {} in the server's answer, found JSON of another shape", expected),
          where};
}

// The first of "choices"; nullptr where the list is empty.
Result<const Json*> first_choice(const Json& body, const std::string& where) {
  const Json* choices = find(body, "choices");
  if (choices == nullptr || !choices->is_array()) return wrong_shape("\"choices\"", where);
  if (choices->empty()) return static_cast<const Json*>(nullptr);
  return &choices->front();
}

Status read_whole(const Json& body, const std::string& where, Reply& reply) {
  if (const Json* error = find(body, "error")) return reported_error(*error, where);
  RR_TRY(const Json* choice, first_choice(body, where));
  if (choice == nullptr) return wrong_shape("a choice", where);
  if (const Json* message = find(*choice, "message"); message != nullptr) {
    if (!message->is_object()) return wrong_shape("a \"message\"", where);
    RR_TRY(reply.thoughts, thoughts_in(*message, where));
    RR_TRY(reply.content, content_in(*message, where));
  } else if (choice->is_object() && choice->contains("text")) {
    RR_TRY(reply.content, optional_text(*choice, "text", where));
  } else {
    return wrong_shape("a \"message\"", where);
  }
  read_end(*choice, reply);
  read_tokens(*choice, reply);
  read_usage(body, reply);
  return ok_status();
}

}  // namespace

std::string text_of(const Reply& reply) {
  if (reply.thoughts.empty()) return reply.content;
  return std::string(kOpenThoughts) + reply.thoughts + closing_of(reply.thoughts) + reply.content;
}

ReplyReader::ReplyReader(bool is_stream, std::size_t max_bytes, std::string where, TextSink sink)
    : is_stream_(is_stream),
      max_bytes_(max_bytes),
      where_(std::move(where)),
      sink_(std::move(sink)) {}

Status ReplyReader::feed(std::string_view bytes) {
  num_bytes_ += bytes.size();
  if (num_bytes_ > max_bytes_) {
    return Error{Errc::kRejected,
                 fmt::format("the server's answer is larger than {} bytes, which is the most that "
                             "is taken",
                             max_bytes_),
                 where_};
  }
  pending_ += bytes;
  if (!is_stream_) return ok_status();
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = pending_.find('\n', begin)) != std::string::npos;) {
    RR_TRY_STATUS(take_line(std::string_view(pending_).substr(begin, end - begin)));
    begin = end + 1;
  }
  pending_.erase(0, begin);
  return ok_status();
}

// Server-sent events (WHATWG HTML, 9.2): "data:" lines up to an empty one are an event; the other
// fields and comments (":") mean nothing here.
Status ReplyReader::take_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) {
    if (data_.empty()) return ok_status();
    const std::string event = std::exchange(data_, {});
    return take_event(event);
  }
  constexpr std::string_view kData = "data:";
  if (!line.starts_with(kData)) return ok_status();
  line.remove_prefix(kData.size());
  if (line.starts_with(' ')) line.remove_prefix(1);
  if (!data_.empty()) data_ += '\n';
  data_ += line;
  return ok_status();
}

Status ReplyReader::take_event(const std::string& data) {
  if (is_done_) return ok_status();
  if (data == "[DONE]") {
    is_done_ = true;
    return ok_status();
  }
  RR_TRY(const Json event, parse_json(data, where_, &reply_.repaired));
  if (const Json* error = find(event, "error")) return reported_error(*error, where_);
  read_usage(event, reply_);
  RR_TRY(const Json* choice, first_choice(event, where_));
  return choice == nullptr ? ok_status() : take_delta(*choice);
}

Status ReplyReader::take_delta(const Json& choice) {
  std::string thoughts;
  std::string content;
  if (const Json* delta = find(choice, "delta"); delta != nullptr) {
    if (!delta->is_object()) return wrong_shape("a \"delta\"", where_);
    RR_TRY(thoughts, thoughts_in(*delta, where_));
    RR_TRY(content, content_in(*delta, where_));
  } else if (choice.is_object() && choice.contains("text")) {
    RR_TRY(content, optional_text(choice, "text", where_));
  } else {
    return wrong_shape("a \"delta\"", where_);
  }
  if (!thoughts.empty()) {
    if (reply_.thoughts.empty()) tell(kOpenThoughts);
    reply_.thoughts += thoughts;
    tell(thoughts);
  }
  if (!content.empty()) {
    if (!reply_.thoughts.empty() && !std::exchange(closed_thoughts_, true)) {
      tell(closing_of(reply_.thoughts));
    }
    reply_.content += content;
    tell(content);
  }
  read_end(choice, reply_);
  read_tokens(choice, reply_);
  return ok_status();
}

void ReplyReader::tell(std::string_view text) {
  if (sink_) sink_(text);
}

Result<Reply> ReplyReader::finish() {
  if (!is_stream_) {
    RR_TRY(const Json body, parse_json(pending_, where_, &reply_.repaired));
    RR_TRY_STATUS(read_whole(body, where_, reply_));
    return std::move(reply_);
  }
  // A last line without its end, and a last event without the empty line after it.
  RR_TRY_STATUS(take_line(std::exchange(pending_, {})));
  RR_TRY_STATUS(take_line(""));
  if (is_done_ || !reply_.finish.empty()) return std::move(reply_);
  return Error{Errc::kUnavailable, "the server's answer broke off before its end", where_};
}

namespace {

// Where identifiers stand in the answer, and which are still open.
class OrderReader {
 public:
  OrderReader(const std::vector<TokenChoice>& tokens, std::size_t size)
      : tokens_(tokens), is_open_(size + 1, true) {
    for (const TokenChoice& token : tokens) {
      begins_.push_back(text_.size());
      text_ += token.token;
    }
  }

  std::vector<IdentifierChoice> read() {
    const std::size_t size = is_open_.size() - 1;
    const std::size_t answer = text_.rfind("<answer>");
    std::size_t at = answer == std::string::npos ? 0 : answer;
    std::vector<IdentifierChoice> choices;
    while ((at = text_.find('[', at)) != std::string::npos) {
      const std::size_t digits = at + 1;
      std::size_t end = digits;
      while (end < text_.size() && text_[end] >= '0' && text_[end] <= '9') ++end;
      at = end;
      if (end == digits || end - digits > 6 || end == text_.size() || text_[end] != ']') continue;
      const auto identifier = std::stoul(text_.substr(digits, end - digits));
      if (identifier < 1 || identifier > size || !is_open_[identifier]) return {};
      choices.push_back({identifier, logprob(digits, end)});
      is_open_[identifier] = false;
    }
    if (choices.size() != size) return {};
    choices.back().logprob = 0;  // the only one that was left
    return choices;
  }

 private:
  // Of the digits [begin, end) and the bracket behind them.
  double logprob(std::size_t begin, std::size_t end) const {
    double sum = 0;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const std::size_t token_begin = begins_[i];
      const std::size_t token_end = token_begin + tokens_[i].token.size();
      if (token_end <= begin) continue;
      if (token_begin > end) break;
      sum += tokens_[i].logprob - std::log(open_mass(i, begin));
    }
    return std::min(0.0, sum);
  }

  // Probability of all tokens at place i that lead to an identifier still open, where its digits
  // begin at `begin`.
  double open_mass(std::size_t i, std::size_t begin) const {
    const TokenChoice& chosen = tokens_[i];
    const std::size_t token_begin = begins_[i];
    // What stands before the digits inside this token, and the digits written before it.
    const std::string lead =
        token_begin < begin ? text_.substr(token_begin, begin - token_begin) : std::string();
    const std::string written =
        token_begin > begin ? text_.substr(begin, token_begin - begin) : std::string();
    double mass = std::exp(chosen.logprob);
    for (const auto& [token, logprob] : chosen.likeliest) {
      if (token == chosen.token || !token.starts_with(lead)) continue;
      if (leads_to_open(written + token.substr(lead.size()))) mass += std::exp(logprob);
    }
    return mass;
  }

  // "1" leads to 1, 12 and 17; "1]" to 1 alone.
  bool leads_to_open(const std::string& text) const {
    const std::size_t bracket = text.find(']');
    const std::string digits = text.substr(0, bracket);
    for (std::size_t identifier = 1; identifier < is_open_.size(); ++identifier) {
      if (!is_open_[identifier]) continue;
      const std::string name = std::to_string(identifier);
      if (bracket == std::string::npos ? name.starts_with(digits) : name == digits) return true;
    }
    return false;
  }

  const std::vector<TokenChoice>& tokens_;
  std::vector<bool> is_open_;  // by identifier
  std::vector<std::size_t> begins_;
  std::string text_;
};

}  // namespace

std::vector<IdentifierChoice> choices_from_tokens(const std::vector<TokenChoice>& tokens,
                                                  std::size_t size) {
  return tokens.empty() ? std::vector<IdentifierChoice>() : OrderReader(tokens, size).read();
}

}  // namespace rr::internal
