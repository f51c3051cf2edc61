#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <utility>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/engine.h"
#include "apps/reasonrank/jsonl_tool.h"
#include "apps/reasonrank/model_command.h"
#include "apps/reasonrank/model_options.h"
#include "rr/base/progress.h"
#include "rr/lm/sampler.h"

namespace rr {
namespace {

struct Options {
  ModelOptions model;
  GeneratorCommandOptions generator;
  JsonlOptions lines;
  FreeStage stage = {.max_tokens = 128, .stop = {}};
  Sampling sampling;
  bool with_special = false;
  bool as_chat = false;
};

// Lines that are being answered at once: enough to keep every place of the generator taken while
// the first of them is waited for.
constexpr std::size_t kMaxInFlight = 128;
constexpr std::size_t kMaxSequences = 32;

Result<Role> parse_role(const std::string& name, const std::string& where) {
  for (const Role role : {Role::kSystem, Role::kUser, Role::kAssistant}) {
    if (name == role_name(role)) return role;
  }
  return Error{Errc::kMalformed,
               fmt::format("expected a role of system, user or assistant, found \"{}\"", name),
               where};
}

Result<Messages> read_messages(const Json& list, const std::string& where) {
  if (!list.is_array() || list.empty()) {
    return Error{Errc::kMalformed, "expected \"messages\" to be a list of {\"role\", \"content\"}",
                 where};
  }
  Messages messages;
  for (const Json& entry : list) {
    RR_TRY(const std::string name, json_string(entry, "role", where));
    RR_TRY(const Role role, parse_role(name, where));
    RR_TRY(std::string content, json_string(entry, "content", where));
    messages.push_back({role, std::move(content)});
  }
  return messages;
}

Result<GenerationRequest> request_of(const JsonlInput::Line& line, const Tokenizer& tokenizer,
                                     const Options& options) {
  GenerationRequest request;
  request.stages = {options.stage};
  request.sampling = options.sampling;
  if (line.value.contains("messages")) {
    RR_TRY(request.prompt, read_messages(line.value["messages"], line.where));
    return request;
  }
  if (line.value.contains("ids")) {
    RR_TRY(request.prompt, read_ids(line.value, tokenizer, line.where));
    return request;
  }
  if (!line.value.contains("text")) {
    return Error{Errc::kMalformed, "expected \"ids\", \"text\" or \"messages\", found none",
                 line.where};
  }
  RR_TRY(std::string text, json_string(line.value, "text", line.where));
  if (options.as_chat) {
    request.prompt = Messages{{Role::kUser, std::move(text)}};
  } else {
    request.prompt = ids_of_text(tokenizer, text, options.with_special);
  }
  return request;
}

// An answer to come.
struct InFlight {
  std::string where;
  std::future<Completion> completion;
};

Result<InFlight> submit(Generator& generator, GenerationRequest request, const std::string& where,
                        bool with_stream) {
  const auto promise = std::make_shared<std::promise<Completion>>();
  InFlight in_flight{where, promise->get_future()};
  const auto listen = [promise, with_stream](const GenerationEvent& event) {
    if (with_stream) {
      std::fwrite(event.text.data(), 1, event.text.size(), stdout);
      std::fflush(stdout);
    }
    if (event.completion != nullptr) promise->set_value(*event.completion);
  };
  const Result<GenerationId> id = generator.submit(std::move(request), listen);
  if (id.ok()) return in_flight;
  Error error = id.error();
  error.where = where;
  return error;
}

Result<Completion> wait_for(InFlight in_flight) {
  Completion completion = in_flight.completion.get();
  if (!completion.error) return completion;
  Error error = *completion.error;
  error.where = in_flight.where;
  return error;
}

Json json_of(const Completion& completion) {
  return {{"ids", completion.ids},
          {"text", completion.text},
          {"token_logprobs", completion.token_logprobs},
          {"stop_reason", stop_reason_name(completion.stop)}};
}

// Many lines at once, answers in their order.
Status answer_lines(Generator& generator, const Options& options, JsonlOutput& output) {
  JsonlInput input(options.lines);
  Progress progress("generating", 0, "prompts");
  std::deque<InFlight> in_flight;
  std::size_t done = 0;
  for (bool more = true; more || !in_flight.empty();) {
    while (more && in_flight.size() < kMaxInFlight) {
      RR_TRY(const std::optional<JsonlInput::Line> line, input.next());
      more = line.has_value();
      if (!more) break;
      RR_TRY(GenerationRequest request,
             request_of(*line, *generator.text_model()->tokenizer, options));
      RR_TRY(InFlight one, submit(generator, std::move(request), line->where, false));
      in_flight.push_back(std::move(one));
    }
    if (in_flight.empty()) break;
    RR_TRY(const Completion completion, wait_for(std::move(in_flight.front())));
    in_flight.pop_front();
    RR_TRY_STATUS(output.write(json_of(completion)));
    progress.update(++done);
  }
  progress.clear();
  report_repaired(input.repaired());
  return output.commit();
}

// For a person: the text as it comes.
Status stream_answer(Generator& generator, const Options& options) {
  JsonlInput input(options.lines);
  RR_TRY(const std::optional<JsonlInput::Line> line, input.next());
  RR_TRY(GenerationRequest request, request_of(*line, *generator.text_model()->tokenizer, options));
  RR_TRY(InFlight one, submit(generator, std::move(request), line->where, true));
  RR_TRY(const Completion completion, wait_for(std::move(one)));
  fmt::print("\n");
  fmt::print(stderr, "[{} tokens, {}; {:.1f} s to the first, then {:.0f} a second]\n",
             completion.ids.size(), stop_reason_name(completion.stop), completion.prefill_s,
             completion.ids.size() < 2
                 ? 0.0
                 : static_cast<double>(completion.ids.size() - 1) / completion.decode_s);
  return ok_status();
}

Status generate(const Options& options) {
  const bool with_stream =
      options.lines.has_prompt && options.lines.output.empty() && isatty(STDOUT_FILENO) == 1;
  RR_TRY(JsonlOutput output, JsonlOutput::open(options.lines.output));
  RR_TRY(const Engine engine, start_engine(options.model, options.generator, kMaxSequences));
  RR_TRY_STATUS(with_stream ? stream_answer(*engine.generator, options)
                            : answer_lines(*engine.generator, options, output));
  RR_TRY(const std::string told, engine.tell());
  fmt::print(stderr, "{}", told);
  return ok_status();
}

int run(const Options& options) {
  if (const Status status = check_sampling(options.sampling); !status.ok()) {
    report_failure(status.error());
    return kExitUsage;
  }
  const Status status = generate(options);
  return status.ok() ? kExitOk : report_failure(status.error());
}

void add_sampling_options(CLI::App& command, Sampling& sampling) {
  command
      .add_option("--temperature", sampling.temperature,
                  "0: always the most likely token; above: a draw")
      ->capture_default_str();
  command.add_option("--top-p", sampling.top_p, "draw from the likeliest that make up this share")
      ->capture_default_str();
  command.add_option("--top-k", sampling.top_k, "draw from this many of the likeliest; 0: all")
      ->capture_default_str();
  command
      .add_option("--min-p", sampling.min_p,
                  "draw from those at least this likely, relative to the likeliest")
      ->capture_default_str();
  command.add_option("--seed", sampling.seed, "of the draws: same seed, same tokens")
      ->capture_default_str();
}

}  // namespace

void add_model_generate_command(CLI::App& model, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = model.add_subcommand("generate", "Continue texts and conversations");
  add_jsonl_options(*command, options->lines);
  add_model_options(*command, options->model);
  add_adapter_option(*command, options->model);
  add_generator_options(*command, options->generator);
  command->add_option("--max-tokens", options->stage.max_tokens, "to write at most")
      ->capture_default_str();
  add_sampling_options(*command, options->sampling);
  command
      ->add_option("--stop", options->stage.stop,
                   "end where this text has been written; may be given several times")
      ->allow_extra_args(false);
  command->add_flag("--special", options->with_special, "recognise special tokens in {\"text\"}");
  command->add_flag("--chat", options->as_chat,
                    "take {\"text\"} and -p as a user's message, not as a text to continue");
  command->footer(
      "{\"ids\"}, {\"text\"} or {\"messages\": [{\"role\", \"content\"}]} to {\"ids\", \"text\",\n"
      "\"token_logprobs\", \"stop_reason\"}, a line each, in order. Only messages go through the\n"
      "model's chat template. On a terminal, -p shows the text as it is written.\n"
      "Examples:\n"
      "  reasonrank model generate -p 'The sky is blue because'\n"
      "  reasonrank model generate --chat -p 'Why is the sky blue?' --temperature 0.7 --seed 1\n"
      "  reasonrank model generate --engine llama.cpp --model gemma.gguf --chat -p 'Why?'\n"
      "  reasonrank model generate prompts.jsonl -o answers.jsonl --max-tokens 500 --stop "
      "'\\n\\n'");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace rr
