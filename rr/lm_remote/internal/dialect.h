#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/result.h"

namespace rr::internal {

enum class ServerKind { kUnknown, kVllm, kSglang, kLlamaServer, kLlamaCppPython };

// How a server takes a regular expression or grammar that its answer must match.
enum class GuideField {
  kNone,
  kStructuredOutputs,  // vLLM since 0.11: "structured_outputs": {"regex"}
  kGuidedRegex,        // vLLM before: "guided_regex"
  kRegex,              // SGLang: "regex"
  kGrammar,            // llama.cpp's: "grammar", GBNF
};

// What one server understands beyond the common part. Starts from what it says it is; what it then
// refuses by name is given up (learn()).
struct Dialect {
  ServerKind kind = ServerKind::kUnknown;
  GuideField guide = GuideField::kNone;
  bool logprobs = true;
  bool stream = true;
  bool usage_in_stream = true;         // "stream_options": {"include_usage": true}
  bool thinking_switch = false;        // "chat_template_kwargs": {"enable_thinking"}
  bool continues_messages = false;     // goes on where a last assistant message ends
  bool continue_needs_flags = false;   // and wants "continue_final_message" for it
  bool max_completion_tokens = false;  // the newer name of "max_tokens"
  bool seed = true;

  // Servers sample by defaults of their own where a request is silent: vLLM and SGLang by the
  // model's generation_config.json (Qwen2.5: repetition_penalty 1.05, top_p 0.8, top_k 20),
  // llama.cpp's by constants (min_p 0.05, top_k 40; llama-cpp-python: repeat_penalty 1.1). What is
  // asked for is what is meant, so these are told to leave it at that.
  const char* repetition_penalty = nullptr;  // the parameter's name; nullptr: has none
  int no_top_k = 0;                          // the value of top_k that stands for all tokens
};

// What a server says of itself: the answer to GET /models, and to GET /version beside it where
// that was asked (may be null).
struct ServedModels {
  std::vector<std::string> names;
  ServerKind kind = ServerKind::kUnknown;
};

// {"data": [{"id", "owned_by"}]}. Refused: another shape.
Result<ServedModels> read_served_models(const Json& models, const std::string& where);

// version: "0.11.0", or "" where it is not known.
Dialect dialect_of(ServerKind kind, std::string_view version);

// "vLLM 0.11.0"; "" for an unknown one.
std::string server_name(ServerKind kind, std::string_view version);

// Gives up what a refusal (HTTP 400, 422 or 500) names, the first that it does: the words of a
// server's message are all that tells. Returns a sentence on what is done without now; "" where the
// message names nothing that can be done without.
std::string learn(Dialect& dialect, std::string_view message);

}  // namespace rr::internal
