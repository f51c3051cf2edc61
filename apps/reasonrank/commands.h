#pragma once

#include <CLI/CLI.hpp>

#include "rr/base/result.h"

namespace rr {

// Exit codes: 0 done, 1 the world failed (one sentence on stderr), 2 the command line was wrong.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

// Says on stderr in one line what failed and where; returns kExitFailed.
int report_failure(const Error& error);

// Each adds one subcommand. Its options live in the callback; its exit code goes to `exit_code`,
// which must outlive `app`.
void add_rerank_command(CLI::App& app, int& exit_code);
void add_show_command(CLI::App& app, int& exit_code);
void add_evaluate_command(CLI::App& app, int& exit_code);
void add_model_command(CLI::App& app, int& exit_code);
void add_index_command(CLI::App& app, int& exit_code);
void add_search_command(CLI::App& app, int& exit_code);
void add_compare_command(CLI::App& app, int& exit_code);
void add_fuse_command(CLI::App& app, int& exit_code);
void add_convert_command(CLI::App& app, int& exit_code);
void add_check_data_command(CLI::App& app, int& exit_code);
void add_filter_command(CLI::App& app, int& exit_code);
void add_decontaminate_command(CLI::App& app, int& exit_code);
void add_split_command(CLI::App& app, int& exit_code);
void add_export_command(CLI::App& app, int& exit_code);
void add_synthesize_command(CLI::App& app, int& exit_code);
void add_cost_command(CLI::App& app, int& exit_code);
void add_reward_command(CLI::App& app, int& exit_code);
void add_train_command(CLI::App& app, int& exit_code);
void add_report_command(CLI::App& app, int& exit_code);
void add_fix_text_command(CLI::App& app, int& exit_code);

void add_bench_command(CLI::App& app, int& exit_code);

}  // namespace rr
