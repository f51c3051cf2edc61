#include <memory>
#include <optional>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/jsonl_tool.h"
#include "apps/reasonrank/model_command.h"
#include "apps/reasonrank/model_options.h"
#include "rr/lm_local/scoring.h"

namespace rr {
namespace {

struct Options {
  ModelOptions model;
  JsonlOptions lines;
  bool with_special = false;
};

Result<Json> score_line(LocalModel& model, const JsonlInput::Line& line, bool with_special) {
  Json answer;
  TokenIds ids;
  if (line.value.contains("ids")) {
    RR_TRY(ids, read_ids(line.value, model.tokenizer(), line.where));
  } else {
    RR_TRY(const std::string text, json_string(line.value, "text", line.where));
    ids = ids_of_text(model.tokenizer(), text, with_special);
    answer["ids"] = ids;
  }
  Result<std::vector<float>> logprobs = score_tokens(model, ids);
  if (!logprobs.ok()) {
    Error error = std::move(logprobs).error();
    error.where = line.where;
    return error;
  }
  answer["token_logprobs"] = logprobs.value();
  return answer;
}

Status score(const Options& options) {
  RR_TRY(JsonlOutput output, JsonlOutput::open(options.lines.output));
  RR_TRY(const std::unique_ptr<LocalModel> model, load_model(options.model));
  JsonlInput input(options.lines);
  for (;;) {
    RR_TRY(const std::optional<JsonlInput::Line> line, input.next());
    if (!line) break;
    RR_TRY(const Json answer, score_line(*model, *line, options.with_special));
    RR_TRY_STATUS(output.write(answer));
  }
  report_repaired(input.repaired());
  return output.commit();
}

}  // namespace

void add_model_score_command(CLI::App& model, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      model.add_subcommand("score", "How likely the model finds each token of a text");
  add_jsonl_options(*command, options->lines);
  add_model_options(*command, options->model);
  add_adapter_option(*command, options->model);
  command->add_flag("--special", options->with_special, "recognise special tokens in {\"text\"}");
  command->footer(
      "{\"ids\"} or {\"text\"} to {\"token_logprobs\"}, a line each: the natural logarithm of the\n"
      "probability of every token after the first, given those before it. For {\"text\"} the ids\n"
      "are given too, with the model's begin token in front where it has one.\n"
      "Examples:\n"
      "  reasonrank model score -p 'The sky is blue'\n"
      "  reasonrank model score --compute f32 ids.jsonl -o logprobs.jsonl");
  command->callback([options, &exit_code] {
    const Status status = score(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
