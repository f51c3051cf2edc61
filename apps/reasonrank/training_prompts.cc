#include "apps/reasonrank/training_prompts.h"

#include <fmt/core.h>

#include <filesystem>
#include <utility>

#include "apps/reasonrank/choice_option.h"
#include "rr/synth/sample.h"
#include "rr/weights/model_files.h"

namespace rr {

void add_training_prompt_options(CLI::App& command, TrainingPromptOptions& options) {
  const char* group = "Prompts";
  const auto count = CLI::Range(std::size_t{1}, std::size_t{1'000'000'000}).description("");
  add_choice<PromptMode>(command, "--mode", options.mode,
                         {{"reasoning", PromptMode::kReasoning},
                          {"direct", PromptMode::kDirect},
                          {"qwen3", PromptMode::kQwen3}},
                         "What the prompts ask for, as in `rerank`")
      ->group(group);
  command
      .add_option("--passage-tokens", options.passage_tokens,
                  "Tokens of a passage that a prompt holds, by the tokenizer of --model")
      ->check(count)
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--web-passage-tokens", options.web_passage_tokens,
                  "The same in the domain web (published for MS MARCO)")
      ->check(count)
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--passage-words", options.passage_words,
                  "Cut passages by words instead; needs no model")
      ->check(count)
      ->type_name("N")
      ->group(group);
  add_model_path_option(command, options.model);
}

Result<TrainingPrompts> TrainingPrompts::load(const TrainingPromptOptions& options) {
  TrainingPrompts prompts;
  PassageCut cut = cut_to_words(options.passage_words);
  PassageCut web_cut = cut;
  prompts.description_ = fmt::format("passages cut to {} words", options.passage_words);
  if (options.passage_words == 0) {
    RR_TRY(const std::filesystem::path path, find_model(options.model));
    RR_TRY(const std::unique_ptr<ModelFiles> files, ModelFiles::open(path));
    RR_TRY(prompts.tokenizer_, Tokenizer::load(*files));
    cut = cut_to_tokens(*prompts.tokenizer_, options.passage_tokens);
    web_cut = cut_to_tokens(*prompts.tokenizer_, options.web_passage_tokens);
    prompts.description_ =
        fmt::format("passages cut to {} tokens (web: {}) of {}", options.passage_tokens,
                    options.web_passage_tokens, path.filename().string());
  }
  prompts.description_ =
      fmt::format("prompts {}, {}", prompt_template_name(options.mode), prompts.description_);
  prompts.general_ =
      std::make_unique<PromptBuilder>(PromptOptions{.mode = options.mode, .cut = std::move(cut)});
  prompts.web_ = std::make_unique<PromptBuilder>(
      PromptOptions{.mode = options.mode, .cut = std::move(web_cut)});
  return prompts;
}

const PromptBuilder& TrainingPrompts::of(std::string_view domain) const {
  return domain == domain_name(Domain::kWeb) ? *web_ : *general_;
}

}  // namespace rr
