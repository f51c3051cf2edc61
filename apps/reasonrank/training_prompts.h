#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "apps/reasonrank/model_options.h"
#include "rr/base/result.h"
#include "rr/lm/tokenizer.h"
#include "rr/rerank/prompt.h"

namespace rr {

// How `split` and `export` write the prompts of training data: passages are cut as at inference, so
// by the tokenizer of the model that will be trained.
struct TrainingPromptOptions {
  PromptMode mode = PromptMode::kReasoning;
  std::size_t passage_tokens = 512;
  std::size_t web_passage_tokens = 100;  // published for MS MARCO
  std::size_t passage_words = 0;         // 0: by tokens
  ModelOptions model;
};

// --mode, --passage-tokens, --web-passage-tokens, --passage-words and --model.
void add_training_prompt_options(CLI::App& command, TrainingPromptOptions& options);

// Prompt builders for the domains. Keeps the tokenizer that they cut with.
class TrainingPrompts {
 public:
  static Result<TrainingPrompts> load(const TrainingPromptOptions& options);

  const PromptBuilder& of(std::string_view domain) const;

  // "passages cut to 512 tokens (web: 100) of SmolLM2-135M-Instruct.Q4_1.gguf".
  const std::string& description() const { return description_; }

 private:
  TrainingPrompts() = default;

  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<PromptBuilder> general_;
  std::unique_ptr<PromptBuilder> web_;
  std::string description_;
};

}  // namespace rr
