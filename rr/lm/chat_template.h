#pragma once

#include <functional>
#include <memory>
#include <optional>
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
  // "qwen3" alone: false pre-fills an empty <think></think>, as its template does.
  bool thinking = true;
};

// How a model wants a conversation written. Written in C++ for each family, not interpreted Jinja:
// the model's own template only decides which.
class ChatTemplate {
 public:
  // By name: "qwen2", "qwen2.5", "qwen3", "qwen3-thinking" (always opens a <think>), "smollm2",
  // "chatml" (no default system text), "llama-3", "llama-3.1" (3.1 to 3.3: a system turn with two
  // dates; "today" is always 26 Jul 2024, the fallback of 3.1's own template, so that a prompt is
  // the same every day). An unknown name is refused with the list of known ones.
  static Result<ChatTemplate> named(std::string_view name);

  // From what the model's files say (GGUF tokenizer.chat_template, tokenizer_config.json,
  // chat_template.jinja). Unknown ones are refused (kMalformed), and so are files without any
  // (kNotFound), with the known names and the option to set one.
  static Result<ChatTemplate> detect(const ModelFiles& files);

  // The same from the text of a template; nullopt: the files hold none.
  static Result<ChatTemplate> detect(const std::optional<std::string>& jinja,
                                     const std::string& where);

  // A family that somebody else writes: the messages, and where `opens_answer` the opening of the
  // assistant's turn.
  using Renderer = std::function<RenderedPrompt(const Messages& messages, bool opens_answer)>;
  static ChatTemplate rendered_by(std::string name, Renderer renderer);

  static std::vector<std::string> known_names();

  const std::string& name() const { return name_; }

  // With the opening of the assistant's turn at its end. A family with a default system text adds
  // it where the first message is no system message. Messages as they are: nothing is stripped but
  // what the family's own template strips: Llama-3 white space around each message, Qwen3 the
  // thoughts of answers before the last question. Tools are not written.
  RenderedPrompt render(const Messages& messages, const ChatOptions& options = {}) const;

  // What follows a rendered prompt where the assistant says `answer`: that, and what ends its turn
  // ("<|im_end|>" and a newline; Llama-3: "<|eot_id|>"). A "<think>" that the prompt has opened
  // already is not written again.
  RenderedPrompt render_answer(std::string_view answer) const;

 private:
  explicit ChatTemplate(std::string name) : name_(std::move(name)) {}

  std::string name_;
  Renderer renderer_;  // empty: one of our own
};

}  // namespace rr
