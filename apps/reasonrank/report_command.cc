#include <memory>
#include <string>
#include <vector>

#include "apps/reasonrank/commands.h"
#include "rr/report/training_page.h"
#include "rr/train/checkpoint.h"

namespace rr {
namespace {

constexpr const char* kExamples =
    R"(Several runs share the charts. A run may be under way: the page shows what it has written so far.
The page is one file and needs no network.

Examples:
  reasonrank report runs/a -o curves.html
  reasonrank report runs/a runs/b runs/c -o curves.html)";

struct ReportOptions {
  std::vector<std::string> runs;
  std::string output;
};

Status report_runs(const ReportOptions& options) {
  std::vector<TrainingLog> logs;
  for (const std::string& run : options.runs) {
    RR_TRY(const RunFolder folder, RunFolder::open(run));
    RR_TRY(TrainingLog log, read_training_log(folder.path(), folder.run()));
    logs.push_back(std::move(log));
  }
  return write_page(training_page(logs), options.output);
}

}  // namespace

void add_report_command(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("report", "A page with the curves of training: loss, rewards, speed");
  const auto options = std::make_shared<ReportOptions>();
  command->add_option("runs", options->runs, "Folders of runs (train sft, train grpo)")
      ->required()
      ->type_name("RUN...");
  command->add_option("-o,--output", options->output, "The page")->required()->type_name("FILE");
  command->footer(kExamples);
  command->callback([options, &exit_code] {
    const Status status = report_runs(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
