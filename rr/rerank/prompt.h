#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "rr/ir/passage.h"
#include "rr/lm/message.h"
#include "rr/lm/tokenizer.h"
#include "rr/rerank/permutation.h"
#include "rr/rerank/prompt_template.h"

namespace rr {

// What a model is asked for, and which template asks (prompts/). The published names are
// rank_GPT_reasoning, rank_GPT_qwen3, rank_GPT and rank_GPT_rankk. kPointwise is ours: whether one
// passage helps, Yes or No (rerank/labels.h).
enum class PromptMode { kReasoning, kQwen3, kDirect, kRankK, kPointwise };

// "reasoning", "qwen3", "direct", "rankk", "pointwise".
const char* prompt_mode_name(PromptMode mode);
std::optional<PromptMode> find_prompt_mode(std::string_view name);

// "reasonrank-reasoning-v1": the template's name with its version.
const char* prompt_template_name(PromptMode mode);

// Where the mode's answer stands in a reply.
AnswerFormat answer_format(PromptMode mode);

// A passage as a prompt holds it.
struct PassageText {
  std::string text;
  bool was_cut = false;
};

// Cuts a passage's text to what a prompt may hold of it.
using PassageCut = std::function<PassageText(std::string_view text)>;

// The first num_tokens tokens, turned back into text by one lossy decode of the whole: an
// incomplete character at the end becomes U+FFFD. Special tokens that the text spells out count as
// one token each, as in the published code. Line breaks stay. A text that is not cut goes through
// the tokenizer too, whose normaliser may change it. The tokenizer must outlive the cut.
PassageCut cut_to_tokens(const Tokenizer& tokenizer, std::size_t num_tokens);

// The first num_words words (what white space separates), joined by one blank each, as the
// published code does it for hosted models: line breaks vanish.
PassageCut cut_to_words(std::size_t num_words);

// Where messy text is repaired, each place by its own function; an empty one repairs nothing.
struct TextRepair {
  using TextFixer = std::function<std::string(std::string_view text)>;
  TextFixer passage = {};  // gets a passage by itself
  TextFixer message = {};  // gets the text of one message of the finished prompt
};

// As ReasonRank's code does it, by ftfy's fix_text (text/fix_text.h): on each passage, and on the
// finished prompt, where HTML entities stay as they are because the prompt's first line holds a
// "<". Messages are repaired one by one: the control tokens between them end every run of
// characters that the repair looks at, so the whole prompt comes out the same.
TextRepair published_repair();

struct PromptOptions {
  PromptMode mode = PromptMode::kReasoning;
  PassageCut cut = {};  // empty: passages are not cut
  TextRepair repair = published_repair();
};

// Writes prompts byte for byte as ReasonRank's code does (8421BCD/ReasonRank at 06721fd). The
// pieces are prepared once and used in every window that they stand in.
class PromptBuilder {
 public:
  explicit PromptBuilder(PromptOptions options);

  PromptMode mode() const { return options_.mode; }

  // "[12]" becomes "(12)", then white space at both ends goes.
  std::string prepare_query(std::string_view query) const;

  // "Title: {title} Content: {text}" where there is a title; stripped, repaired, cut, and then
  // "[12]" becomes "(12)".
  PassageText prepare_passage(const Passage& passage) const;

  // The conversation that asks for an order of `passages`, which get the identifiers [1], [2], ...
  // Both arguments prepared. Requires at least one passage; of kPointwise exactly one.
  Messages build(std::string_view query, std::span<const std::string_view> passages) const;

 private:
  PromptOptions options_;
  PromptTemplate template_;
};

}  // namespace rr
