#include "rr/lm_remote/internal/request_body.h"

#include <algorithm>
#include <variant>

#include "rr/base/check.h"
#include "rr/base/json.h"
#include "rr/base/random.h"

namespace rr::internal {
namespace {

constexpr std::size_t kMostStopStrings = 4;  // OpenAI's limit; the rest is cut off when read
constexpr int kLikeliestTokens = 20;         // the most that OpenAI and vLLM give

Json message_list(const Messages& messages) {
  Json list = Json::array();
  for (const Message& message : messages) {
    list.push_back({{"role", role_name(message.role)}, {"content", message.content}});
  }
  return list;
}

// 31 bits, for servers whose seeds are that narrow; apart for each label.
std::uint32_t seed_of(const GenerationRequest& request) {
  const std::uint64_t stream = stream_of(request.label);
  const std::uint64_t seed = request.sampling.seed;
  const auto words =
      philox4x32({static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32), 0, 0},
                 {static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)});
  return words[0] >> 1;
}

// To a server that is known all of it is said, so that its own defaults change nothing. To others
// parameters at OpenAI's defaults are not sent: some refuse those that they do not know.
void add_sampling(const GenerationRequest& request, const Dialect& dialect, Json& body) {
  const Sampling& sampling = request.sampling;
  const bool is_known = dialect.kind != ServerKind::kUnknown;
  body["temperature"] = sampling.temperature;
  if (dialect.repetition_penalty != nullptr) body[dialect.repetition_penalty] = 1.0;
  if (sampling.temperature == 0) return;
  if (is_known || sampling.top_p < 1) body["top_p"] = sampling.top_p;
  if (sampling.top_k > 0) {
    body["top_k"] = sampling.top_k;
  } else if (is_known) {
    body["top_k"] = dialect.no_top_k;
  }
  if (is_known || sampling.min_p > 0) body["min_p"] = sampling.min_p;
  if (dialect.seed) body["seed"] = seed_of(request);
}

void add_guide(const GenerationRequest& request, const Dialect& dialect, bool from_order,
               Json& body) {
  switch (dialect.guide) {
    case GuideField::kNone:
      break;
    case GuideField::kStructuredOutputs:
      body["structured_outputs"] = {{"regex", guide_regex(request.stages, from_order)}};
      break;
    case GuideField::kGuidedRegex:
      body["guided_regex"] = guide_regex(request.stages, from_order);
      break;
    case GuideField::kRegex:
      body["regex"] = guide_regex(request.stages, from_order);
      break;
    case GuideField::kGrammar:
      body["grammar"] = guide_grammar(request.stages, from_order);
      break;
  }
}

void add_limits(std::size_t max_tokens, const Dialect& dialect, Json& body) {
  body[dialect.max_completion_tokens ? "max_completion_tokens" : "max_tokens"] = max_tokens;
}

void add_stream(const Dialect& dialect, Json& body) {
  if (!dialect.stream) return;
  body["stream"] = true;
  if (dialect.usage_in_stream) body["stream_options"] = {{"include_usage", true}};
}

void add_logprobs(const AnswerPlan& plan, const Dialect& dialect, Json& body) {
  if (!plan.wants_order || !dialect.logprobs) return;
  body["logprobs"] = true;
  body["top_logprobs"] = kLikeliestTokens;
}

}  // namespace

RequestBody first_call(const GenerationRequest& request, const AnswerPlan& plan,
                       const std::string& model, const Dialect& dialect) {
  Json body = {{"model", model}};
  add_limits(plan.max_tokens, dialect, body);
  add_sampling(request, dialect, body);
  if (!plan.stop.empty()) {
    const std::size_t count = std::min(plan.stop.size(), kMostStopStrings);
    body["stop"] = std::vector<std::string>(plan.stop.begin(),
                                            plan.stop.begin() + static_cast<std::ptrdiff_t>(count));
  }
  if (plan.wants_order) add_guide(request, dialect, false, body);
  add_stream(dialect, body);
  if (const auto* ids = std::get_if<TokenIds>(&request.prompt)) {
    body["prompt"] = *ids;
    return {"/completions", to_json_line(body)};
  }
  add_logprobs(plan, dialect, body);
  if (dialect.thinking_switch && plan.wants_order && !plan.wants_thoughts) {
    body["chat_template_kwargs"] = {{"enable_thinking", false}};
  }
  body["messages"] = message_list(std::get<Messages>(request.prompt));
  return {"/chat/completions", to_json_line(body)};
}

RequestBody continuing_call(const GenerationRequest& request, const AnswerPlan& plan,
                            const std::string& model, const Dialect& dialect,
                            const std::string& written) {
  RR_CHECK(dialect.continues_messages, "a server that continues messages");
  Json body = {{"model", model}};
  add_limits(plan.order_tokens, dialect, body);
  add_sampling(request, dialect, body);
  add_guide(request, dialect, true, body);
  add_stream(dialect, body);
  add_logprobs(plan, dialect, body);
  if (dialect.continue_needs_flags) {
    body["continue_final_message"] = true;
    body["add_generation_prompt"] = false;
  }
  body["messages"] = message_list(std::get<Messages>(request.prompt));
  body["messages"].push_back({{"role", role_name(Role::kAssistant)}, {"content", written}});
  return {"/chat/completions", to_json_line(body)};
}

}  // namespace rr::internal
