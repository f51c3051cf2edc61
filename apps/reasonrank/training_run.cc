#include "apps/reasonrank/training_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/config_file.h"
#include "apps/reasonrank/training_ranks.h"
#include "rr/base/machine.h"

namespace rr {
namespace {

Status expect_same(const Json& run, const Json& identity, const std::string& where) {
  for (const auto& [key, value] : identity.items()) {
    if (run.value(key, Json()) == value) continue;
    const std::string what = key.substr(0, key.find('_'));
    return Error{Errc::kRejected,
                 fmt::format("the {} {} not what the run began with; start a new run", what,
                             what == "tasks" ? "are" : "is"),
                 where};
  }
  return ok_status();
}

}  // namespace

void add_training_run_options(CLI::App& command, TrainingRunOptions& options) {
  command.add_option("-o,--output", options.output, "a new folder for the run");
  command.add_option("--resume", options.resume,
                     "go on with the run in this folder; takes its settings");
  command.add_option("--config", options.config,
                     "a TOML file with any of these options, named alike; the command line goes "
                     "first");
  command
      .add_option("--memory", options.memory_gib,
                  "GiB to take at most; without it, four fifths of what is free, shared by the "
                  "ranks of a machine")
      ->check(CLI::PositiveNumber);
}

void add_learning_rate_option(CLI::App& command, double& rate, const std::string& help) {
  command.add_option("--lr", rate, help)->check([](const std::string& text) {
    return std::strtod(text.c_str(), nullptr) > 0
               ? std::string()
               : "expected a learning rate above 0, found " + text;
  });
}

void add_optimiser_options(CLI::App& command, LearningSettings& settings) {
  command.add_option("--schedule", settings.schedule, "of the learning rate after warm-up")
      ->check(CLI::IsMember({"constant", "linear", "cosine"}))
      ->capture_default_str();
  command
      .add_option("--warmup", settings.warmup, "steps in which the rate rises; below 1: a share")
      ->capture_default_str();
  command.add_option("--weight-decay", settings.weight_decay, "of matrices")->capture_default_str();
  command.add_option("--clip", settings.clip, "largest norm of the gradient; 0: any")
      ->capture_default_str();
  command
      .add_option("--lora", settings.lora,
                  "rank of adapters that learn in the place of the weights; 0: the weights do")
      ->type_name("RANK")
      ->capture_default_str();
  command.add_option("--lora-alpha", settings.lora_alpha, "their scale; 0: the rank")
      ->capture_default_str();
}

void add_checkpoint_options(CLI::App& command, LearningSettings& settings) {
  command.add_option("--save-every", settings.save_every, "steps between checkpoints")
      ->capture_default_str();
  command.add_option("--keep", settings.keep, "checkpoints to keep, beside the best")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
}

Status read_training_config(CLI::App& command, const TrainingRunOptions& options) {
  if (options.config.empty()) return ok_status();
  return read_config_file(command, options.config);
}

std::string training_misuse(const CLI::App& command, const TrainingRunOptions& options,
                            std::initializer_list<const char*> inputs) {
  if (!options.resume.empty()) {
    for (const CLI::Option* const option : command.get_options()) {
      const std::string name = option->get_single_name();
      if (option->count() > 0 && name != "resume" && name != "threads" && name != "memory") {
        return fmt::format("--resume takes the run's own settings: leave out --{}", name);
      }
    }
    return "";
  }
  if (std::none_of(inputs.begin(), inputs.end(),
                   [&command](const char* input) { return command.count(input) > 0; })) {
    return fmt::format("expected {} with a file, or --resume with a run's folder",
                       fmt::join(inputs, " or "));
  }
  if (options.output.empty()) return "expected -o with a folder for the run";
  return "";
}

namespace {

Result<RunFolder> begin_or_resume(const TrainingRunOptions& options, const std::string& kind,
                                  const Json& identity, const Json& settings) {
  if (options.resume.empty()) {
    Json run = {{"program", "reasonrank " RR_VERSION}, {"kind", kind}};
    run.update(identity);
    run["settings"] = settings;
    return RunFolder::create(options.output, run);
  }
  RR_TRY(RunFolder folder, RunFolder::open_to_train(options.resume));
  const std::string where = (folder.path() / "run.json").string();
  if (folder.run().value("kind", std::string()) != kind) {
    return Error{Errc::kRejected,
                 fmt::format("expected a run of `train {}`, found one of `train {}`", kind,
                             folder.run().value("kind", std::string())),
                 where};
  }
  RR_TRY_STATUS(expect_same(folder.run(), identity, where));
  return folder;
}

}  // namespace

Result<RunFolder> open_training_run(const TrainingRunOptions& options, const std::string& kind,
                                    const Json& identity, const Json& settings, Ranks& ranks) {
  if (!have_same(ranks, to_json_line({identity, settings}))) {
    return Error{Errc::kRejected,
                 "expected all ranks to have the same model, data and settings, found others; "
                 "files have to be the same on all machines",
                 ""};
  }
  Result<RunFolder> folder = Error{Errc::kUnavailable, "another rank opens the run", ""};
  if (ranks.is_first()) folder = begin_or_resume(options, kind, identity, settings);
  RR_TRY_STATUS(
      agree(ranks, ranks.is_first() && !folder.ok() ? Status(folder.error()) : ok_status()));
  if (!ranks.is_first()) {
    folder = RunFolder::open(options.resume.empty() ? options.output : options.resume);
  }
  RR_TRY_STATUS(agree(ranks, folder));
  return folder;
}

int exit_code_of(const Result<int>& result) {
  if (result.ok()) return result.value();
  return started_ranks().rank == 0 ? report_failure(result.error()) : kExitFailed;
}

std::size_t memory_limit(const TrainingRunOptions& options) {
  if (options.memory_gib > 0) return static_cast<std::size_t>(options.memory_gib * (1 << 30));
  return free_memory() / 5 * 4;
}

double in_gib(std::size_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024 * 1024); }

void say(const std::string& line) {
  if (started_ranks().rank == 0) std::fputs((line + "\n").c_str(), stderr);
}

void add_precision_option(CLI::App& command, std::string& precision) {
  command
      .add_option(
          "--compute,--precision", precision,
          "what products are computed in: bf16, or f32 for reference; with --lora also int8 "
          "or int4: the weights beside which adapters learn take that much memory, as in "
          "`rerank --compute`")
      ->check(CLI::IsMember({"bf16", "f32", "int8", "int4"}))
      ->capture_default_str();
}

}  // namespace rr
