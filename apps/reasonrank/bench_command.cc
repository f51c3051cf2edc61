#include <fmt/core.h>

#include <cstddef>
#include <memory>
#include <string>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/model_options.h"
#include "rr/base/machine.h"
#include "rr/nn/decoder_speed.h"

namespace rr {
namespace {

struct Options {
  ModelOptions model;
  std::size_t repeat = 3;
};

void print_line(const std::string& what, double speed) {
  fmt::print("{:<44}{:>8.0f}\n", what, speed);
  std::fflush(stdout);
}

Status measure(const Options& options) {
  RR_TRY(const std::unique_ptr<LocalModel> model, load_model(options.model));
  fmt::print("{}, {} threads; weights {}, a token's keys and values {}\n\n{:<44}{:>8}\n",
             model->kernel_name(), model->num_threads(),
             bytes_for_people(model->memory().weight_bytes),
             bytes_for_people(model->memory().kv_bytes_per_token), "", "tokens/s");
  DecoderSpeed speed(model->decoder(), options.repeat);
  // Behind the longest prompt or prefix, decoding goes on for some runs.
  const std::size_t longest = model->context_length() - 32 * options.repeat;
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
  if (4096 <= longest) {
    print_line("writing 32 at once, behind the same 4096", speed.decode_shared(4096, 32));
  }
  return ok_status();
}

}  // namespace

void add_bench_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("bench", "Measure how fast a model runs here");
  const auto options = std::make_shared<Options>();
  add_model_options(*command, options->model);
  command->add_option("--repeat", options->repeat, "Runs of each, of which the best counts")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->footer(
      "The lines are those of docs/benchmarks.md, for this machine and model. Other programs that "
      "run\n"
      "meanwhile slow them down.\n"
      "Examples:\n"
      "  reasonrank bench\n"
      "  reasonrank bench --model qwen2.5-0.5b-instruct.gguf --threads 4");
  command->callback([options, &exit_code] {
    const Status status = measure(*options);
    if (!status.ok()) exit_code = report_failure(status.error());
  });
}

}  // namespace rr
