#pragma once

#include <CLI/CLI.hpp>

namespace rr {

// Each adds one subcommand of `train`, as commands.h says.
void add_train_sft_command(CLI::App& train, int& exit_code);
void add_train_grpo_command(CLI::App& train, int& exit_code);

}  // namespace rr
