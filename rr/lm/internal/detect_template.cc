#include "rr/lm/internal/detect_template.h"

#include <algorithm>
#include <initializer_list>
#include <vector>

namespace rr::internal {
namespace {

struct DefaultSystem {
  std::string_view name;
  std::string_view text;
};

constexpr DefaultSystem kDefaultSystems[] = {
    {"qwen2", "You are a helpful assistant."},
    {"qwen2.5", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."},
    {"smollm2", "You are a helpful AI assistant named SmolLM, trained by Hugging Face"},
};

// "\n" as two characters in a Jinja string means a line break; files have both.
std::string with_line_breaks(std::string_view jinja) {
  std::string text;
  for (std::size_t i = 0; i < jinja.size(); ++i) {
    const bool is_escape = jinja[i] == '\\' && i + 1 < jinja.size() && jinja[i + 1] == 'n';
    text.push_back(is_escape ? '\n' : jinja[i]);
    if (is_escape) ++i;
  }
  return text;
}

bool has_all(std::string_view text, std::initializer_list<std::string_view> marks) {
  return std::all_of(marks.begin(), marks.end(), [text](std::string_view mark) {
    return text.find(mark) != std::string_view::npos;
  });
}

bool has_any(std::string_view text, std::initializer_list<std::string_view> marks) {
  return std::any_of(marks.begin(), marks.end(), [text](std::string_view mark) {
    return text.find(mark) != std::string_view::npos;
  });
}

// System turns that the template spells out from opening to end.
std::vector<std::string_view> literal_system_texts(std::string_view text) {
  constexpr std::string_view kOpening = "<|im_start|>system\n";
  std::vector<std::string_view> literals;
  for (std::size_t at = text.find(kOpening); at != std::string_view::npos;
       at = text.find(kOpening, at + 1)) {
    const std::string_view rest = text.substr(at + kOpening.size());
    const std::string_view literal = rest.substr(0, rest.find("<|im_end|>"));
    const bool is_expression = literal.find_first_of("'\"{") == 0;
    if (!is_expression) literals.push_back(literal);
  }
  return literals;
}

std::optional<std::string> detect_plain_chatml(std::string_view text) {
  const bool writes_roles = has_any(
      text, {"'<|im_start|>' + message.role + '\n'", "'<|im_start|>' + message['role'] + '\n'",
             "\"<|im_start|>\" + message[\"role\"] + \"\n\"",
             "'<|im_start|>' + message[\"role\"] + '\n'"});
  const bool opens_answer =
      has_any(text, {"<|im_start|>assistant\n'", "<|im_start|>assistant\n\""});
  const bool changes_text = has_any(text, {"bos_token", "trim", "strip(", "<think>"});
  if (!writes_roles || !opens_answer || changes_text) return std::nullopt;
  const std::vector<std::string_view> literals = literal_system_texts(text);
  if (literals.empty()) return "chatml";
  if (literals.size() > 1) return std::nullopt;
  for (const DefaultSystem& known : kDefaultSystems) {
    if (known.text == literals.front()) return std::string(known.name);
  }
  return std::nullopt;
}

std::optional<std::string> detect_qwen3(std::string_view text) {
  const bool is_family = has_all(text, {"last_query_index", "reasoning_content", "</think>"}) &&
                         literal_system_texts(text).empty() && !has_any(text, {"bos_token"});
  if (!is_family) return std::nullopt;
  const bool opens_thoughts = has_any(text, {"'<|im_start|>assistant\n<think>\n' }}"});
  const bool has_switch =
      has_all(text, {"enable_thinking is false", "'<think>\n\n</think>\n\n' }}"});
  const bool opens_otherwise = has_any(text, {"{{- '<think>\n' }}"});
  if (opens_otherwise || opens_thoughts == has_switch) return std::nullopt;
  return opens_thoughts ? "qwen3-thinking" : "qwen3";
}

std::optional<std::string> detect_llama(std::string_view text) {
  const bool writes_turns =
      has_all(text, {"'<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'",
                     "message['content'] | trim + '<|eot_id|>'", "bos_token"});
  if (!writes_turns || has_any(text, {"<think>", "</think>"})) return std::nullopt;
  if (has_all(text, {"Cutting Knowledge Date: December 2023", "tools_in_user_message"})) {
    return "llama-3.1";
  }
  if (has_any(text, {"Date", "tools", "functions"})) return std::nullopt;
  return "llama-3";
}

}  // namespace

std::optional<std::string> detect_template(std::string_view jinja) {
  const std::string text = with_line_breaks(jinja);
  if (has_all(text, {"<|start_header_id|>"})) return detect_llama(text);
  if (!has_all(text, {"<|im_start|>", "<|im_end|>"})) return std::nullopt;
  if (const auto qwen3 = detect_qwen3(text)) return qwen3;
  return detect_plain_chatml(text);
}

std::optional<std::string_view> default_system_text(std::string_view name) {
  for (const DefaultSystem& known : kDefaultSystems) {
    if (known.name == name) return known.text;
  }
  return std::nullopt;
}

}  // namespace rr::internal
