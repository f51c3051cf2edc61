#include <csignal>
#include <memory>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/help_formatter.h"
#include "rr/base/cpu.h"

int main(int argc, char** argv) {
  // Ctrl-C and a closed pipe end the program at once and in silence: outputs appear whole or not at
  // all (base/atomic_file.h), so there is nothing to tidy up.
  std::signal(SIGPIPE, SIG_DFL);

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
    return app.exit(error) == 0 ? rr::kExitOk : rr::kExitUsage;
  }
  return exit_code;
}
