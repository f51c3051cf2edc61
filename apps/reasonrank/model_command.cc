#include "apps/reasonrank/model_command.h"

#include <fmt/core.h>

#include <cstdint>
#include <cstdio>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/model_options.h"
#include "rr/lm_local/local_model.h"
#include "rr/weights/model_store.h"

namespace rr {
namespace {

int pull() {
  const auto say = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };
  const Result<std::filesystem::path> path = pull_default_model(models_folder(), say);
  if (!path.ok()) return report_failure(path.error());
  fmt::print("{}\n", path.value().string());
  return kExitOk;
}

void add_pull_command(CLI::App& model, int& exit_code) {
  CLI::App* command = model.add_subcommand(
      "pull", fmt::format("Fetch the default model, {}", default_model().name));
  command->footer(
      "It is kept in $XDG_DATA_HOME/reasonrank/models, or ~/.local/share/reasonrank/models; its\n"
      "path is printed. Nothing is fetched where it is already there and whole.");
  command->callback([&exit_code] { exit_code = pull(); });
}

}  // namespace

void add_model_command(CLI::App& app, int& exit_code) {
  CLI::App* model = app.add_subcommand("model", "Fetch a model, and look into one");
  model->require_subcommand(1);
  model->footer(
      "Examples:\n"
      "  reasonrank model pull\n"
      "  reasonrank model info --model ~/models/Qwen3-0.6B\n"
      "  reasonrank model generate -p 'The sky is blue because' --max-tokens 50\n"
      "  reasonrank model score texts.jsonl -o logprobs.jsonl");
  add_pull_command(*model, exit_code);
  add_model_info_command(*model, exit_code);
  add_model_tokenize_command(*model, exit_code);
  add_model_score_command(*model, exit_code);
  add_model_generate_command(*model, exit_code);
}

Result<TokenIds> read_ids(const Json& line, const Tokenizer& tokenizer, const std::string& where) {
  const Json& list = line.at("ids");
  const auto refusal = [&](const std::string& found) {
    return Error{
        Errc::kMalformed,
        fmt::format("expected \"ids\" to be a list of whole numbers from 0 to {}, found {}",
                    tokenizer.vocabulary_size() - 1, found),
        where};
  };
  if (!list.is_array()) return refusal(list.type_name());
  TokenIds ids;
  ids.reserve(list.size());
  for (const Json& entry : list) {
    const bool is_id =
        entry.is_number_unsigned() && entry.get<std::uint64_t>() < tokenizer.vocabulary_size();
    if (!is_id) return refusal(entry.is_structured() ? entry.type_name() : entry.dump());
    ids.push_back(entry.get<TokenId>());
  }
  return ids;
}

TokenIds ids_of_text(const Tokenizer& tokenizer, const std::string& text, bool with_special) {
  return with_begin_token(
      tokenizer, with_special ? tokenizer.encode_with_special(text) : tokenizer.encode(text));
}

void report_repaired(std::size_t repaired) {
  if (repaired == 0) return;
  fmt::print(stderr, "reasonrank: {} ill-formed UTF-8 sequences in the input were replaced\n",
             repaired);
}

}  // namespace rr
