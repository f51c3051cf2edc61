#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/result.h"
#include "rr/lm/message.h"
#include "rr/lm/tokenizer.h"
#include "rr/weights/model_files.h"

namespace rr {

// A prompt as one text. `control` are the places where the template itself wrote a control token;
// the same text inside a message is not among them.
struct RenderedPrompt {
  std::string text;
  std::vector<TextRange> control;
};

struct ChatOptions {
  bool thinking = true;  // Qwen3: false pre-fills an empty <think></think>, as its template does
};

// How a model wants a conversation written. Written in C++ for each family, not interpreted Jinja:
// the model's own template only decides which.
class ChatTemplate {
 public:
  // By name: "qwen2.5", "qwen3", "smollm2", "chatml" (no default system text), "llama-3". An
  // unknown name is refused with the list of known ones.
  static Result<ChatTemplate> named(std::string_view name);

  // From what the model's files say (GGUF tokenizer.chat_template, tokenizer_config.json,
  // chat_template.jinja). Unknown ones are refused with the known names and the option to set one.
  static Result<ChatTemplate> detect(const ModelFiles& files);

  static std::vector<std::string> known_names();

  const std::string& name() const { return name_; }

  // With the opening of the assistant's turn at its end. A family with a default system text adds
  // it where the first message is no system message. Messages as they are: nothing is stripped but
  // what the family's own template strips.
  RenderedPrompt render(const Messages& messages, const ChatOptions& options = {}) const;

 private:
  explicit ChatTemplate(std::string name) : name_(std::move(name)) {}

  std::string name_;
};

}  // namespace rr
