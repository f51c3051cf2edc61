#include "apps/reasonrank/train_command.h"

#include "apps/reasonrank/commands.h"

namespace rr {

void add_train_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("train", "Make a better model");
  command->require_subcommand(1);
  add_train_sft_command(*command, exit_code);
  add_train_grpo_command(*command, exit_code);
}

}  // namespace rr
