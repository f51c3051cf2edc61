#include <memory>
#include <optional>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/jsonl_tool.h"
#include "apps/reasonrank/model_command.h"
#include "apps/reasonrank/model_options.h"
#include "rr/weights/model_files.h"

namespace rr {
namespace {

struct Options {
  ModelOptions model;
  JsonlOptions lines;
  bool with_special = false;
};

Status tokenize(const Options& options) {
  RR_TRY(const std::filesystem::path path, find_model(options.model));
  RR_TRY(const std::unique_ptr<ModelFiles> files, ModelFiles::open(path));
  RR_TRY(const std::unique_ptr<Tokenizer> tokenizer, Tokenizer::load(*files));
  RR_TRY(JsonlOutput output, JsonlOutput::open(options.lines.output));
  JsonlInput input(options.lines);
  for (;;) {
    RR_TRY(const std::optional<JsonlInput::Line> line, input.next());
    if (!line) break;
    RR_TRY(const std::string text, json_string(line->value, "text", line->where));
    const TokenIds ids =
        options.with_special ? tokenizer->encode_with_special(text) : tokenizer->encode(text);
    RR_TRY_STATUS(output.write(Json{{"ids", ids}}));
  }
  report_repaired(input.repaired());
  return output.commit();
}

}  // namespace

void add_model_tokenize_command(CLI::App& model, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = model.add_subcommand("tokenize", "Texts to token ids");
  add_jsonl_options(*command, options->lines);
  add_model_path_option(*command, options->model);
  command->add_flag("--special", options->with_special,
                    "recognise special tokens in the text; without it they are plain text");
  command->footer(
      "{\"text\"} to {\"ids\"}, a line each. No begin token is added.\n"
      "Examples:\n"
      "  reasonrank model tokenize -p 'Hello world'\n"
      "  reasonrank model tokenize --special texts.jsonl -o ids.jsonl");
  command->callback([options, &exit_code] {
    const Status status = tokenize(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
