#include "rr/lm_llama/internal/llama_chat.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "rr/lm_llama/internal/special_tokens.h"

namespace rr::internal {
namespace {

// Stands for the text of a message while the template writes around it.
std::string stand_in(std::size_t message) { return fmt::format("\uE0F0{}\uE0F1", message); }

// What llama.cpp's template makes of these texts; nullopt: it has none for `jinja`, a name or the
// text of a template.
std::optional<std::string> apply(const std::string& jinja, const Messages& messages,
                                 const std::vector<std::string>& texts, bool opens_answer) {
  std::vector<llama_chat_message> chat;
  std::size_t most = 1024;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    chat.push_back({role_name(messages[i].role), texts[i].c_str()});
    most += 256 + texts[i].size();
  }
  for (;;) {
    std::string text(most, '\0');
    const int32_t size =
        llama_chat_apply_template(jinja.c_str(), chat.data(), chat.size(), opens_answer,
                                  text.data(), static_cast<int32_t>(text.size()));
    if (size < 0) return std::nullopt;
    text.resize(std::min(text.size(), static_cast<std::size_t>(size)));
    if (static_cast<std::size_t>(size) <= most) return text;
    most = static_cast<std::size_t>(size);
  }
}

// Writes conversations as llama.cpp's template does. It sees stand-ins, so that what it wrote
// itself is known from what the messages say: only there are control tokens.
class LlamaChat {
 public:
  LlamaChat(std::string jinja, const Tokenizer& tokenizer)
      : jinja_(std::move(jinja)), special_(tokenizer) {}

  RenderedPrompt operator()(const Messages& messages, bool opens_answer) const {
    std::vector<std::string> stand_ins;
    for (std::size_t i = 0; i < messages.size(); ++i) stand_ins.push_back(stand_in(i));
    const std::string text = apply(jinja_, messages, stand_ins, opens_answer).value_or("");
    RenderedPrompt prompt;
    std::size_t done = 0;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const std::size_t place = text.find(stand_ins[i], done);
      if (place == std::string::npos) continue;  // a role that the template leaves out
      write(text.substr(done, place - done), prompt);
      prompt.text += messages[i].content;
      done = place + stand_ins[i].size();
    }
    write(text.substr(done), prompt);
    return prompt;
  }

 private:
  void write(const std::string& part, RenderedPrompt& prompt) const {
    for (const TextRange& range : special_.find(part)) {
      prompt.control.push_back({prompt.text.size() + range.begin, prompt.text.size() + range.end});
    }
    prompt.text += part;
  }

  std::string jinja_;
  SpecialTokens special_;
};

bool is_known_to_llama(const std::string& jinja) {
  const Messages question = {{Role::kUser, "?"}};
  return apply(jinja, question, {"?"}, true).has_value();
}

std::vector<std::string> known_names() {
  std::vector<std::string> names = ChatTemplate::known_names();
  std::vector<const char*> more(256);
  const int32_t count = llama_chat_builtin_templates(more.data(), more.size());
  more.resize(std::min(more.size(), static_cast<std::size_t>(std::max(0, count))));
  names.insert(names.end(), more.begin(), more.end());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

ChatTemplate llama_template(const std::string& name, const std::string& jinja,
                            const Tokenizer& tokenizer) {
  return ChatTemplate::rendered_by(name, LlamaChat(jinja, tokenizer));
}

Result<ChatTemplate> named_template(const std::string& name, const Tokenizer& tokenizer) {
  Result<ChatTemplate> ours = ChatTemplate::named(name);
  if (ours.ok()) return ours;
  const std::vector<std::string> known = known_names();
  if (std::find(known.begin(), known.end(), name) != known.end()) {
    return llama_template(name, name, tokenizer);
  }
  return Error{
      Errc::kNotFound,
      fmt::format("chat template \"{}\" is unknown; known are {}", name, fmt::join(known, ", ")),
      ""};
}

}  // namespace

Result<ChatTemplate> find_chat_template(const llama_model& model, const std::string& name,
                                        const Tokenizer& tokenizer, const std::string& where) {
  if (!name.empty()) return named_template(name, tokenizer);
  const char* jinja = llama_model_chat_template(&model, nullptr);
  Result<ChatTemplate> ours = ChatTemplate::detect(
      jinja == nullptr ? std::nullopt : std::optional<std::string>(jinja), where);
  if (ours.ok() || jinja == nullptr || !is_known_to_llama(jinja)) return ours;
  return llama_template("the file's", jinja, tokenizer);
}

}  // namespace rr::internal
