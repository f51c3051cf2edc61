#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/engine.h"
#include "apps/reasonrank/generator_speed.h"
#include "apps/reasonrank/model_options.h"
#include "rr/base/machine.h"
#include "rr/nn/decoder_speed.h"

namespace rr {
namespace {

struct Options {
  ModelOptions model;
  GeneratorCommandOptions generator;
  std::size_t repeat = 3;
  std::size_t topics = 16;
  std::size_t depth = 0;
  std::size_t max_thinking = WindowWork().thinking_tokens;
};

constexpr std::size_t kSamples = 8;
constexpr std::size_t kSampleTokens = 200;
constexpr std::size_t kSamplePrompt = 2600;

constexpr const char* kExamples =
    R"(Lines of reading and writing are of the model alone, the best of --repeat runs. The last ones are
of the whole program, once: a sampled prompt, and prompts of 20 passages of 100 tokens (common
words), --max-thinking tokens of reasoning and the answer. docs/benchmarks.md has the same lines
for machines that we know. Other programs that run meanwhile slow them down.
Examples:
  reasonrank bench
  reasonrank bench --compute int4 --topics 64
  reasonrank bench --repeat 0 --topics 16 --depth 100
  reasonrank bench --model qwen2.5-0.5b-instruct.gguf --threads 4
  reasonrank bench --engine llama.cpp --model qwen2.5-0.5b-instruct-bf16.gguf)";

void print_line(const std::string& what, double speed, const char* unit = "") {
  fmt::print("{:<62}{:>8.{}f}{}\n", what, speed, speed < 10 ? 2 : speed < 100 ? 1 : 0, unit);
  std::fflush(stdout);
}

void measure_decoder(LocalModel& model, std::size_t repeat) {
  DecoderSpeed speed(model.decoder(), repeat);
  // Behind the longest prompt or prefix, decoding goes on for some runs.
  const std::size_t longest = model.context_length() - 32 * repeat;
  for (const std::size_t tokens : {512u, 2783u, 4096u}) {
    if (tokens > longest) continue;
    print_line(fmt::format("reading a prompt of {} tokens", tokens), speed.prefill(tokens));
  }
  for (const std::size_t depth : {128u, 2783u}) {
    if (depth > longest) continue;
    print_line(fmt::format("writing behind {} tokens", depth), speed.decode(depth, 1));
  }
  for (const std::size_t sequences : {4u, 8u, 16u, 32u}) {
    print_line(fmt::format("writing {} at once, behind 128 each", sequences),
               speed.decode(128, sequences));
  }
  if (512 <= longest) {
    print_line("writing 32 at once, behind 512 each", speed.decode(512, 32));
  }
  if (4096 <= longest) {
    print_line("writing 32 at once, behind the same 4096", speed.decode_shared(4096, 32));
  }
}

Status measure_generator(const Engine& engine, const Options& options) {
  GeneratorSpeed speed(*engine.generator);
  if (kSamplePrompt + kSampleTokens <= engine.text_model().context_length) {
    RR_TRY(const double tokens, speed.sampling(kSamplePrompt, kSamples, kSampleTokens));
    print_line(fmt::format("writing {} samples of {} behind the same {}, with its reading",
                           kSamples, kSampleTokens, kSamplePrompt),
               tokens);
  }
  if (options.topics > 0 && engine.text_model().chat != nullptr) {
    for (const bool is_free : {false, true}) {
      RR_TRY(const double windows,
             speed.windows_per_minute(options.topics, {.thinking_tokens = options.max_thinking,
                                                       .free_answer = is_free}));
      print_line(fmt::format("windows of 20 passages, {} at once{}", options.topics,
                             is_free ? ", free answers" : ""),
                 windows, " a minute");
    }
  }
  if (options.topics > 0 && options.depth > 0 && engine.text_model().chat != nullptr) {
    RR_TRY(const Pace pace,
           speed.pace(options.topics, options.depth, {.thinking_tokens = options.max_thinking}));
    const std::string work =
        fmt::format("{} topics of {} passages, ", options.topics, options.depth);
    print_line(work + "each at its own pace", pace.own_s, " s");
    print_line(work + "in rounds of windows", pace.rounds_s, " s");
    print_line("the rounds' time against the own pace's", pace.rounds_s / pace.own_s);
  }
  RR_TRY(const std::string told, engine.tell());
  fmt::print(stderr, "{}", told);
  return ok_status();
}

Status measure(const Options& options) {
  RR_TRY(const Engine engine,
         start_engine(options.model, options.generator, std::max(options.topics, kSamples)));
  if (LocalModel* const model = engine.model.get()) {
    fmt::print("{}, {} threads; weights {}, a token's keys and values {}\n", model->kernel_name(),
               model->num_threads(), bytes_for_people(model->memory().weight_bytes),
               bytes_for_people(model->memory().kv_bytes_per_token));
  } else {
    fmt::print("{}\n", arithmetic_name(options.model, options.generator));
  }
  fmt::print("\n{:<62}{:>8}\n", "", "tokens/s");
  if (engine.model && options.repeat > 0) {
    measure_decoder(*engine.model, options.repeat);  // no request runs yet
  }
  return measure_generator(engine, options);
}

}  // namespace

void add_bench_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("bench", "Measure how fast a model runs here");
  const auto options = std::make_shared<Options>();
  add_model_options(*command, options->model);
  add_generator_options(*command, options->generator);
  command
      ->add_option("--repeat", options->repeat,
                   "Runs of each line of the model alone; 0: leave them out")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  command
      ->add_option("--topics", options->topics,
                   "Topics for the windows a minute, one window each; 0: leave them out")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command
      ->add_option(
          "--depth", options->depth,
          "Passages of each topic for another measurement: sliding windows at each topic's own "
          "pace, and in rounds of all topics' windows; 0: leave it out")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command->add_option("--max-thinking", options->max_thinking, "Tokens of reasoning in a window")
      ->check(CLI::Range(0, 32768))
      ->capture_default_str();
  command->footer(kExamples);
  command->callback([options, &exit_code] {
    const Status status = measure(*options);
    if (!status.ok()) exit_code = report_failure(status.error());
  });
}

}  // namespace rr
