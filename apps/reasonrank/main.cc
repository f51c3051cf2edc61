#include <csignal>
#include <cstdio>
#include <memory>
#include <string_view>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/help_formatter.h"
#include "apps/reasonrank/training_ranks.h"
#include "rr/base/cpu.h"

namespace {

// Several processes that do not know of each other would write over each other's files.
bool is_wrongly_started(const rr::StartedRanks& started, int argc, char** argv) {
  if (started.size == 1 || argc < 2 || argv[1] == std::string_view("train")) return false;
  if (started.rank == 0) {
    std::fprintf(stderr,
                 "reasonrank: started as %zu processes, but only `train` shares its work among "
                 "several; start `%s` without mpirun\n",
                 started.size, argv[1]);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  // Ctrl-C and a closed pipe end the program at once and in silence: outputs appear whole or not at
  // all (base/atomic_file.h), so there is nothing to tidy up.
  std::signal(SIGPIPE, SIG_DFL);

  const rr::StartedRanks started = rr::started_ranks();
  if (is_wrongly_started(started, argc, argv)) return rr::kExitUsage;

  CLI::App app("Ranks passages by reasoning about them.", "reasonrank");
  app.set_version_flag("--version", std::string("reasonrank ") + RR_VERSION);
  app.require_subcommand(1);
  app.formatter(std::make_shared<rr::HelpFormatter>());
  app.get_formatter()->column_width(34);

  if (const rr::Status limit = rr::check_isa_limit(); !limit.ok()) {
    return rr::report_failure(limit.error());
  }
  int exit_code = rr::kExitOk;
  rr::add_index_command(app, exit_code);
  rr::add_search_command(app, exit_code);
  rr::add_rerank_command(app, exit_code);
  rr::add_show_command(app, exit_code);
  rr::add_evaluate_command(app, exit_code);
  rr::add_compare_command(app, exit_code);
  rr::add_fuse_command(app, exit_code);
  rr::add_convert_command(app, exit_code);
  rr::add_check_data_command(app, exit_code);
  rr::add_synthesize_command(app, exit_code);
  rr::add_filter_command(app, exit_code);
  rr::add_decontaminate_command(app, exit_code);
  rr::add_split_command(app, exit_code);
  rr::add_export_command(app, exit_code);
  rr::add_model_command(app, exit_code);
  rr::add_train_command(app, exit_code);
  rr::add_reward_command(app, exit_code);
  rr::add_report_command(app, exit_code);
  rr::add_cost_command(app, exit_code);
  rr::add_fix_text_command(app, exit_code);

  rr::add_bench_command(app, exit_code);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = started.rank == 0 ? app.exit(error) : error.get_exit_code();
    return code == 0 ? rr::kExitOk : rr::kExitUsage;
  }
  return exit_code;
}
