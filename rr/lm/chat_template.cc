#include "rr/lm/chat_template.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "rr/base/check.h"
#include "rr/base/json.h"
#include "rr/lm/internal/detect_template.h"
#include "rr/lm/internal/python_text.h"

namespace rr {
namespace {

constexpr std::string_view kImStart = "<|im_start|>";
constexpr std::string_view kImEnd = "<|im_end|>";

// Collects the prompt and remembers where a control token was written.
class PromptWriter {
 public:
  PromptWriter& text(std::string_view text) {
    prompt_.text.append(text);
    return *this;
  }

  PromptWriter& control(std::string_view token) {
    const std::size_t begin = prompt_.text.size();
    prompt_.text.append(token);
    prompt_.control.push_back({begin, prompt_.text.size()});
    return *this;
  }

  RenderedPrompt take() { return std::move(prompt_); }

 private:
  RenderedPrompt prompt_;
};

void chatml_opening(PromptWriter& out, std::string_view role) {
  out.control(kImStart).text(role).text("\n");
}

void chatml_turn(PromptWriter& out, std::string_view role, std::string_view content) {
  chatml_opening(out, role);
  out.text(content).control(kImEnd).text("\n");
}

bool starts_with_system(const Messages& messages) {
  return !messages.empty() && messages.front().role == Role::kSystem;
}

RenderedPrompt render_chatml(const Messages& messages, std::optional<std::string_view> system) {
  PromptWriter out;
  if (system && !starts_with_system(messages)) chatml_turn(out, "system", *system);
  for (const Message& message : messages) {
    chatml_turn(out, role_name(message.role), message.content);
  }
  chatml_opening(out, "assistant");
  return out.take();
}

// Qwen3's template drops the thoughts of earlier answers: those before the last question. A user
// turn that only hands back a tool's result is no question.
std::size_t last_question(const Messages& messages) {
  for (std::size_t i = messages.size(); i-- > 0;) {
    const std::string_view content = messages[i].content;
    const bool is_tool_result =
        content.starts_with("<tool_response>") && content.ends_with("</tool_response>");
    if (messages[i].role == Role::kUser && !is_tool_result) return i;
  }
  return messages.empty() ? 0 : messages.size() - 1;
}

struct Answer {
  std::string_view thoughts;
  std::string_view rest;
};

Answer split_thoughts(std::string_view content) {
  constexpr std::string_view kOpen = "<think>";
  constexpr std::string_view kClose = "</think>";
  const std::size_t first_close = content.find(kClose);
  if (first_close == std::string_view::npos) return {"", content};
  const std::size_t last_close = content.rfind(kClose);
  std::string_view thoughts = internal::strip_newlines_right(content.substr(0, first_close));
  if (const std::size_t open = thoughts.rfind(kOpen); open != std::string_view::npos) {
    thoughts.remove_prefix(open + kOpen.size());
  }
  return {internal::strip_newlines_left(thoughts),
          internal::strip_newlines_left(content.substr(last_close + kClose.size()))};
}

void qwen3_answer(PromptWriter& out, std::string_view content, bool is_recent, bool is_last) {
  const Answer answer = split_thoughts(content);
  chatml_opening(out, "assistant");
  if (is_recent && (is_last || !answer.thoughts.empty())) {
    const std::string_view thoughts = internal::strip_newlines_right(answer.thoughts);
    out.control("<think>").text("\n").text(thoughts).text("\n").control("</think>").text("\n\n");
    out.text(internal::strip_newlines_left(answer.rest));
  } else {
    out.text(answer.rest);
  }
  out.control(kImEnd).text("\n");
}

enum class ThinkPrefix { kNone, kEmpty, kOpen };

RenderedPrompt render_qwen3(const Messages& messages, ThinkPrefix prefix) {
  PromptWriter out;
  const std::size_t question = last_question(messages);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    if (message.role == Role::kAssistant) {
      qwen3_answer(out, message.content, i > question, i + 1 == messages.size());
    } else {
      chatml_turn(out, role_name(message.role), message.content);
    }
  }
  chatml_opening(out, "assistant");
  if (prefix == ThinkPrefix::kOpen) out.control("<think>").text("\n");
  if (prefix == ThinkPrefix::kEmpty) {
    out.control("<think>").text("\n\n").control("</think>").text("\n\n");
  }
  return out.take();
}

void llama_header(PromptWriter& out, std::string_view role) {
  out.control("<|start_header_id|>").text(role).control("<|end_header_id|>").text("\n\n");
}

void llama_turn(PromptWriter& out, std::string_view role, std::string_view content) {
  llama_header(out, role);
  out.text(internal::strip_white_space(content)).control("<|eot_id|>");
}

RenderedPrompt render_llama3(const Messages& messages) {
  PromptWriter out;
  out.control("<|begin_of_text|>");
  for (const Message& message : messages) {
    llama_turn(out, role_name(message.role), message.content);
  }
  llama_header(out, "assistant");
  return out.take();
}

// Llama-3.1 and later always write a system turn that begins with two dates. "Today" is the date
// that 3.1's template falls back to: a prompt must not change from one day to the next.
RenderedPrompt render_llama31(const Messages& messages) {
  const bool has_system = starts_with_system(messages);
  PromptWriter out;
  out.control("<|begin_of_text|>");
  llama_header(out, "system");
  out.text("Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n");
  if (has_system) out.text(internal::strip_white_space(messages.front().content));
  out.control("<|eot_id|>");
  for (std::size_t i = has_system ? 1 : 0; i < messages.size(); ++i) {
    llama_turn(out, role_name(messages[i].role), messages[i].content);
  }
  llama_header(out, "assistant");
  return out.take();
}

// What a whole exchange has behind the prompt of its question.
RenderedPrompt answer_behind_question(const ChatTemplate::Renderer& renderer,
                                      std::string_view answer) {
  Messages messages = {{Role::kUser, "?"}};
  const std::size_t begin = renderer(messages, true).text.size();
  messages.push_back({Role::kAssistant, std::string(answer)});
  RenderedPrompt whole = renderer(messages, false);
  std::erase_if(whole.control, [&](const TextRange& range) { return range.begin < begin; });
  for (TextRange& range : whole.control) range = {range.begin - begin, range.end - begin};
  whole.text.erase(0, begin);
  return whole;
}

std::string hint() {
  return fmt::format("known are {}; --chat-template NAME sets one",
                     fmt::join(ChatTemplate::known_names(), ", "));
}

// The template among several: a list of {"name", "template"}.
std::optional<std::string> default_of_list(const Json& list) {
  for (const Json& entry : list) {
    const bool is_it = entry.is_object() && entry.value("name", Json()) == "default" &&
                       entry.value("template", Json()).is_string();
    if (is_it) return entry["template"].get<std::string>();
  }
  return std::nullopt;
}

std::optional<std::string> template_at(const Json& object, std::string_view key) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  if (it == object.end()) return std::nullopt;
  if (it->is_string()) return it->get<std::string>();
  return it->is_array() ? default_of_list(*it) : std::nullopt;
}

// The text of the model's own template; nullopt where its files hold none.
Result<std::optional<std::string>> read_template(const ModelFiles& files) {
  if (files.format() == ModelFiles::Format::kGguf) {
    return template_at(files.metadata(), "tokenizer.chat_template");
  }
  RR_TRY(std::optional<std::string> jinja, files.read_side_file("chat_template.jinja"));
  if (jinja) return jinja;
  RR_TRY(const std::optional<std::string> config, files.read_side_file("tokenizer_config.json"));
  if (!config) return std::optional<std::string>();
  RR_TRY(const Json parsed, parse_json(*config, (files.path() / "tokenizer_config.json").string()));
  return template_at(parsed, "chat_template");
}

}  // namespace

std::vector<std::string> ChatTemplate::known_names() {
  return {"chatml",         "qwen2",   "qwen2.5", "qwen3",
          "qwen3-thinking", "smollm2", "llama-3", "llama-3.1"};
}

Result<ChatTemplate> ChatTemplate::named(std::string_view name) {
  const std::vector<std::string> known = known_names();
  if (std::find(known.begin(), known.end(), name) != known.end()) {
    return ChatTemplate(std::string(name));
  }
  return Error{
      Errc::kNotFound,
      fmt::format("chat template \"{}\" is unknown; known are {}", name, fmt::join(known, ", ")),
      ""};
}

Result<ChatTemplate> ChatTemplate::detect(const ModelFiles& files) {
  RR_TRY(const std::optional<std::string> text, read_template(files));
  return detect(text, files.path().string());
}

Result<ChatTemplate> ChatTemplate::detect(const std::optional<std::string>& jinja,
                                          const std::string& where) {
  if (!jinja) {
    return Error{Errc::kNotFound, "the model's files hold no chat template; " + hint(), where};
  }
  if (const auto name = internal::detect_template(*jinja)) return named(*name);
  return Error{Errc::kMalformed, "the model's chat template is none of the known ones; " + hint(),
               where};
}

ChatTemplate ChatTemplate::rendered_by(std::string name, Renderer renderer) {
  ChatTemplate made(std::move(name));
  made.renderer_ = std::move(renderer);
  return made;
}

RenderedPrompt ChatTemplate::render(const Messages& messages, const ChatOptions& options) const {
  if (renderer_) return renderer_(messages, true);
  if (name_ == "qwen3") {
    return render_qwen3(messages, options.thinking ? ThinkPrefix::kNone : ThinkPrefix::kEmpty);
  }
  if (name_ == "qwen3-thinking") return render_qwen3(messages, ThinkPrefix::kOpen);
  if (name_ == "llama-3") return render_llama3(messages);
  if (name_ == "llama-3.1") return render_llama31(messages);
  return render_chatml(messages, internal::default_system_text(name_));
}

RenderedPrompt ChatTemplate::render_answer(std::string_view answer) const {
  if (renderer_) return answer_behind_question(renderer_, answer);
  PromptWriter out;
  if (name_.starts_with("llama-3")) {
    return out.text(internal::strip_white_space(answer)).control("<|eot_id|>").take();
  }
  constexpr std::string_view kOpened = "<think>\n";
  if (name_ == "qwen3-thinking" && answer.starts_with(kOpened)) {
    answer.remove_prefix(kOpened.size());
  }
  return out.text(answer).control(kImEnd).text("\n").take();
}

}  // namespace rr
