#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <initializer_list>
#include <string>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/ranks/ranks.h"
#include "rr/train/checkpoint.h"
#include "rr/train/learning_settings.h"

namespace rr {

inline constexpr int kExitInterrupted = 130;  // 128 + SIGINT, as shells have it

// Where a run of training lives, and what bounds it: for commands that train.
struct TrainingRunOptions {
  std::string output;
  std::string resume;
  std::string config;
  double memory_gib = 0;  // 0: four fifths of what is free
};

// -o, --resume, --config and --memory.
void add_training_run_options(CLI::App& command, TrainingRunOptions& options);

// --lr, which must be above 0.
void add_learning_rate_option(CLI::App& command, double& rate, const std::string& help);

// --schedule to --lora-alpha: how weights or adapters learn. `settings` must outlive `command`, as
// below.
void add_optimiser_options(CLI::App& command, LearningSettings& settings);

// --save-every and --keep.
void add_checkpoint_options(CLI::App& command, LearningSettings& settings);

// Reads --config, if there is one. A wrong command line in one sentence, else empty: a run that
// goes on has its settings; a new one needs one of `inputs` (options' names) and -o.
Status read_training_config(CLI::App& command, const TrainingRunOptions& options);
std::string training_misuse(const CLI::App& command, const TrainingRunOptions& options,
                            std::initializer_list<const char*> inputs);

// The run to go on with, or a new one of `kind` and `settings`. `identity`: hashes of model and
// data, against which a run that goes on is held. Of several ranks the first makes it; refused
// where they do not have the same of everything.
Result<RunFolder> open_training_run(const TrainingRunOptions& options, const std::string& kind,
                                    const Json& identity, const Json& settings, Ranks& ranks);

// The exit code of a command: what it came to, or its failure, which the first rank says.
int exit_code_of(const Result<int>& result);

std::size_t memory_limit(const TrainingRunOptions& options);
double in_gib(std::size_t bytes);

// A line on standard error, of the first rank alone.
void say(const std::string& line);

// --compute bf16|f32|int8|int4, which is also --precision: what a learner's products are computed
// in.
void add_precision_option(CLI::App& command, std::string& precision);

}  // namespace rr
