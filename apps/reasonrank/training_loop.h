#pragma once

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <vector>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/interrupt.h"
#include "apps/reasonrank/training_ranks.h"
#include "apps/reasonrank/training_run.h"
#include "rr/base/result.h"
#include "rr/train/checkpoint.h"

// What the commands that train have in common from the command line on, and at the end.

namespace rr {

// Goes on from what the folder has until the end or a stop, and then says how to go on from there;
// the exit code. Trainer: SftTrainer, GrpoTrainer. Listener: the trainer's, made of the steps that
// are done and those that there are, with finish(). `kind`: of `reasonrank train`.
template <typename Listener, typename Trainer>
Result<int> train_to_the_end(Trainer& trainer, const RunFolder& folder, std::size_t num_steps,
                             const std::string& kind, const TrainingRunOptions& options,
                             const TrainingRanks& ranks) {
  std::vector<std::string> damaged;
  RR_TRY_STATUS(trainer.restore(folder, damaged));
  for (const std::string& line : damaged) say("passed over: " + line);
  if (!options.resume.empty()) say(fmt::format("going on after step {}", trainer.num_done()));

  const std::atomic<bool>& stop = stop_on_interrupt();
  const std::string resume = resume_command(ranks, kind, folder.path().string());
  const LastWords last_words(ranks, stop, resume);
  Listener listener(trainer.num_done(), num_steps);
  const Status status = trainer.run(folder, listener, stop);
  listener.finish();
  RR_TRY_STATUS(status);
  if (trainer.num_done() == num_steps) return kExitOk;
  say(fmt::format("stopped after step {} of {}; go on with\n  {}", trainer.num_done(), num_steps,
                  resume));
  return kExitInterrupted;
}

// What `command` does when it is called: reads --config, refuses a wrong command line, and trains.
// `inputs`: as in training_misuse(). `train`: gives a Result<int>, the exit code.
template <typename Train>
int call_training(CLI::App& command, const TrainingRunOptions& options,
                  std::initializer_list<const char*> inputs, const Train& train) {
  if (const Status config = read_training_config(command, options); !config.ok()) {
    return exit_code_of(config.error());
  }
  if (const std::string wrong = training_misuse(command, options, inputs); !wrong.empty()) {
    say("reasonrank train " + command.get_name() + ": " + wrong);
    return kExitUsage;
  }
  return exit_code_of(train());
}

}  // namespace rr
