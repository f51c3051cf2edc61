#include "rr/lm_remote/internal/dialect.h"

#include <fmt/core.h>

#include <charconv>

namespace rr::internal {
namespace {

// OpenAI's list has an owner for each model; the servers put their own name there.
ServerKind kind_of(std::string_view owner) {
  if (owner == "vllm") return ServerKind::kVllm;
  if (owner == "sglang") return ServerKind::kSglang;
  if (owner == "llamacpp") return ServerKind::kLlamaServer;
  if (owner == "me") return ServerKind::kLlamaCppPython;
  return ServerKind::kUnknown;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// "0.11.0" is at least 0.11. A version that cannot be read is taken for a new one.
bool is_at_least(std::string_view version, int major, int minor) {
  int found_major = 0;
  int found_minor = 0;
  const char* end = version.data() + version.size();
  const auto first = std::from_chars(version.data(), end, found_major);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return true;
  if (std::from_chars(first.ptr + 1, end, found_minor).ec != std::errc()) return true;
  return found_major > major || (found_major == major && found_minor >= minor);
}

const char* plain_name(ServerKind kind) {
  switch (kind) {
    case ServerKind::kVllm:
      return "vLLM";
    case ServerKind::kSglang:
      return "SGLang";
    case ServerKind::kLlamaServer:
      return "llama-server";
    case ServerKind::kLlamaCppPython:
      return "llama-cpp-python";
    case ServerKind::kUnknown:
      return "";
  }
  return "";
}

}  // namespace

Result<ServedModels> read_served_models(const Json& models, const std::string& where) {
  const auto data = models.is_object() ? models.find("data") : models.end();
  if (!models.is_object() || data == models.end() || !data->is_array()) {
    return Error{Errc::kMalformed, "expected a list of models, found JSON of another shape", where};
  }
  ServedModels served;
  for (const Json& model : *data) {
    RR_TRY(std::string name, json_string(model, "id", where));
    served.names.push_back(std::move(name));
    const auto owner = model.find("owned_by");
    if (owner != model.end() && owner->is_string()) {
      served.kind = kind_of(owner->get_ref<const std::string&>());
    }
  }
  return served;
}

Dialect dialect_of(ServerKind kind, std::string_view version) {
  Dialect dialect;
  dialect.kind = kind;
  switch (kind) {
    case ServerKind::kVllm:
      dialect.repetition_penalty = "repetition_penalty";
      dialect.no_top_k = -1;
      dialect.guide =
          is_at_least(version, 0, 11) ? GuideField::kStructuredOutputs : GuideField::kGuidedRegex;
      dialect.thinking_switch = true;
      dialect.continues_messages = true;
      dialect.continue_needs_flags = true;
      break;
    case ServerKind::kSglang:
      dialect.repetition_penalty = "repetition_penalty";
      dialect.no_top_k = -1;
      dialect.guide = GuideField::kRegex;
      dialect.thinking_switch = true;
      dialect.continues_messages = true;
      dialect.continue_needs_flags = true;
      break;
    case ServerKind::kLlamaServer:
      dialect.repetition_penalty = "repeat_penalty";
      dialect.guide = GuideField::kGrammar;
      dialect.thinking_switch = true;
      dialect.continues_messages = true;
      break;
    case ServerKind::kLlamaCppPython:
      dialect.repetition_penalty = "repeat_penalty";
      dialect.guide = GuideField::kGrammar;
      dialect.stream = false;    // its streams say no usage
      dialect.logprobs = false;  // an error where the model was loaded without logits_all
      break;
    case ServerKind::kUnknown:
      break;
  }
  return dialect;
}

std::string server_name(ServerKind kind, std::string_view version) {
  const std::string name = plain_name(kind);
  return version.empty() || name.empty() ? name : fmt::format("{} {}", name, version);
}

std::string learn(Dialect& dialect, std::string_view message) {
  if (dialect.logprobs && contains(message, "logprobs")) {
    dialect.logprobs = false;
    return "gives no probabilities of tokens, so scores are 1/rank";
  }
  if (!dialect.max_completion_tokens && contains(message, "max_completion_tokens")) {
    dialect.max_completion_tokens = true;
    return "wants max_completion_tokens instead of max_tokens";
  }
  if (dialect.usage_in_stream && contains(message, "stream_options")) {
    dialect.usage_in_stream = false;
    return "does not say how many tokens a streamed answer took";
  }
  if (dialect.guide != GuideField::kNone) {
    for (const char* word : {"structured_outputs", "guided_regex", "grammar", "regex"}) {
      if (!contains(message, word)) continue;
      dialect.guide = GuideField::kNone;
      return "takes no constraint on answers, so they are read as they come and repaired";
    }
  }
  if (dialect.thinking_switch && contains(message, "chat_template_kwargs")) {
    dialect.thinking_switch = false;
    return "cannot be told to answer without thoughts";
  }
  if (dialect.repetition_penalty != nullptr && contains(message, dialect.repetition_penalty)) {
    dialect.repetition_penalty = nullptr;
    return "may penalise repeated tokens by a default of its own";
  }
  if (dialect.seed && contains(message, "seed")) {
    dialect.seed = false;
    return "takes no seed, so what it draws does not repeat";
  }
  return "";
}

}  // namespace rr::internal
