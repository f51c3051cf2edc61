#include "rr/rerank/prompt.h"

#include <fmt/core.h>

#include <array>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/utf8.h"
#include "rr/rerank/internal/python_text.h"
#include "rr/text/fix_text.h"

namespace rr {
namespace {

struct ModeNames {
  PromptMode mode;
  const char* name;
  const char* template_name;
};
constexpr std::array kModes = {
    ModeNames{PromptMode::kReasoning, "reasoning", "reasonrank-reasoning-v1"},
    ModeNames{PromptMode::kQwen3, "qwen3", "reasonrank-qwen3-v1"},
    ModeNames{PromptMode::kDirect, "direct", "reasonrank-direct-v1"},
    ModeNames{PromptMode::kRankK, "rankk", "rank-k-v1"},
    ModeNames{PromptMode::kPointwise, "pointwise", "pointwise-v1"},
};

const ModeNames& names_of(PromptMode mode) {
  for (const ModeNames& names : kModes) {
    if (names.mode == mode) return names;
  }
  RR_CHECK(false, "an unknown prompt mode");
  return kModes.front();
}

std::string repaired(const TextRepair::TextFixer& fixer, std::string_view text) {
  return fixer ? fixer(text) : std::string(text);
}

}  // namespace

const char* prompt_mode_name(PromptMode mode) { return names_of(mode).name; }
const char* prompt_template_name(PromptMode mode) { return names_of(mode).template_name; }

std::optional<PromptMode> find_prompt_mode(std::string_view name) {
  for (const ModeNames& names : kModes) {
    if (names.name == name) return names.mode;
  }
  return std::nullopt;
}

AnswerFormat answer_format(PromptMode mode) {
  const bool tagged = mode == PromptMode::kReasoning || mode == PromptMode::kQwen3;
  return tagged ? AnswerFormat::kTagged : AnswerFormat::kWhole;
}

TextRepair published_repair() {
  return {
      .passage = [](std::string_view text) { return fix_text(text); },
      .message =
          [](std::string_view text) {
            return fix_text(text, {.unescape_html = EntityRepair::kNever});
          },
  };
}

PassageCut cut_to_tokens(const Tokenizer& tokenizer, std::size_t num_tokens) {
  return [&tokenizer, num_tokens](std::string_view text) -> PassageText {
    TokenIds ids = tokenizer.encode_with_special(text);
    const bool was_cut = ids.size() > num_tokens;
    if (was_cut) ids.resize(num_tokens);
    return {tokenizer.decode(ids), was_cut};
  };
}

PassageCut cut_to_words(std::size_t num_words) {
  return [num_words](std::string_view text) -> PassageText {
    PassageText result;
    std::size_t words = 0;
    bool inside = false;
    for (std::size_t at = 0; at < text.size();) {
      const DecodedCodePoint decoded = decode_code_point(text, at);
      const bool is_space = internal::is_space(decoded.code_point);
      if (!is_space && !inside) {
        if (words == num_words) return {std::move(result.text), true};
        if (words++ > 0) result.text += ' ';
      }
      if (!is_space) result.text += text.substr(at, decoded.length);
      inside = !is_space;
      at += decoded.length;
    }
    return result;
  };
}

PromptBuilder::PromptBuilder(PromptOptions options)
    : options_(std::move(options)),
      template_(PromptTemplate::named(prompt_template_name(options_.mode))) {}

std::string PromptBuilder::prepare_query(std::string_view query) const {
  return std::string(internal::strip(internal::brackets_to_parentheses(query)));
}

PassageText PromptBuilder::prepare_passage(const Passage& passage) const {
  const std::string field = passage.title.empty()
                                ? passage.text
                                : fmt::format("Title: {} Content: {}", passage.title, passage.text);
  const std::string clean = repaired(options_.repair.passage, internal::strip(field));
  PassageText result = options_.cut ? options_.cut(clean) : PassageText{clean, false};
  result.text = internal::brackets_to_parentheses(result.text);
  return result;
}

Messages PromptBuilder::build(std::string_view query,
                              std::span<const std::string_view> passages) const {
  RR_CHECK(!passages.empty(), "a prompt needs a passage");
  const std::array values = {Placeholder{"{query}", query}};
  Messages messages = template_.fill(values, passages);
  for (Message& message : messages) {
    if (message.role == Role::kSystem) continue;  // the template's own words
    message.content = repaired(options_.repair.message, message.content);
  }
  return messages;
}

}  // namespace rr
