#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "apps/reasonrank/choice_option.h"
#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/evaluated_runs.h"
#include "rr/base/json.h"
#include "rr/base/progress.h"
#include "rr/base/wording.h"
#include "rr/ir/check_data.h"

namespace rr {
namespace {

constexpr const char* kExamples =
    R"(Knows the layouts of BRIGHT, R2MED, BEIR and TREC collections (docs/datasets.md), counts what is in
their files and holds them against each other. Exit code 1 where there are errors; warnings alone are 0.

Examples:
  reasonrank check-data beir/nfcorpus
  reasonrank check-data BRIGHT --format json)";

struct CheckDataOptions {
  std::string folder;
  bool as_json = false;
};

struct CheckedFolder {
  FoundDatasets found;
  std::vector<DatasetReport> reports;
};

std::size_t count_findings(const CheckedFolder& checked, Finding::Severity severity) {
  std::size_t count = 0;
  for (const DatasetReport& report : checked.reports) {
    count += static_cast<std::size_t>(
        std::count_if(report.findings.begin(), report.findings.end(),
                      [&](const Finding& finding) { return finding.severity == severity; }));
  }
  return count;
}

const char* name_of(Finding::Severity severity) {
  return severity == Finding::Severity::kError ? "error" : "warning";
}

// Paths count from the folder that was asked for.
std::string inside(const std::string& path, const std::string& folder) {
  const std::string head = folder.ends_with('/') ? folder : folder + "/";
  return path.starts_with(head) ? path.substr(head.size()) : path;
}

std::string format_text(const CheckedFolder& checked, const CheckDataOptions& options) {
  std::string text;
  for (const DatasetReport& report : checked.reports) {
    text += fmt::format("{} {}\n", checked.found.layout, report.name);
    std::size_t width = 0;
    for (const CheckedFile& file : report.files) {
      width = std::max(width, inside(file.path.string(), options.folder).size());
    }
    for (const CheckedFile& file : report.files) {
      text += fmt::format("  {:<{}}  {}\n", inside(file.path.string(), options.folder), width,
                          file.content);
    }
    for (const Finding& finding : report.findings) {
      text += fmt::format("  {}: {}: {}\n", name_of(finding.severity),
                          inside(finding.where, options.folder), finding.what);
    }
  }
  for (const std::filesystem::path& file : checked.found.unread) {
    text += fmt::format("not read (unpack it, or export it as JSONL): {}\n",
                        inside(file.string(), options.folder));
  }
  return text +
         fmt::format("{}, {}; {} of other kinds\n",
                     counted(count_findings(checked, Finding::Severity::kError), "error"),
                     counted(count_findings(checked, Finding::Severity::kWarning), "warning"),
                     counted(checked.found.other.size(), "file"));
}

std::string format_json(const CheckedFolder& checked) {
  const auto paths = [](const std::vector<std::filesystem::path>& files) {
    Json list = Json::array();
    for (const std::filesystem::path& file : files) list.push_back(file.string());
    return list;
  };
  Json datasets = Json::array();
  for (const DatasetReport& report : checked.reports) {
    Json files = Json::array();
    for (const CheckedFile& file : report.files) {
      files.push_back({{"path", file.path.string()}, {"content", file.content}});
    }
    Json findings = Json::array();
    for (const Finding& finding : report.findings) {
      findings.push_back({{"severity", name_of(finding.severity)},
                          {"where", finding.where},
                          {"what", finding.what}});
    }
    datasets.push_back(
        {{"name", report.name}, {"files", std::move(files)}, {"findings", std::move(findings)}});
  }
  return to_json_line({{"layout", checked.found.layout},
                       {"datasets", std::move(datasets)},
                       {"unread", paths(checked.found.unread)},
                       {"other", paths(checked.found.other)}}) +
         "\n";
}

Result<int> check_folder(const CheckDataOptions& options) {
  CheckedFolder checked;
  RR_TRY(checked.found, find_datasets(options.folder));
  Progress progress("checking", checked.found.datasets.size(), "data sets");
  for (const Dataset& dataset : checked.found.datasets) {
    progress.update(checked.reports.size(), dataset.name);
    checked.reports.push_back(check_dataset(dataset));
  }
  progress.clear();
  RR_TRY_STATUS(
      write_to_stdout(options.as_json ? format_json(checked) : format_text(checked, options)));
  return count_findings(checked, Finding::Severity::kError) == 0 ? kExitOk : kExitFailed;
}

}  // namespace

void add_check_data_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("check-data", "Does a collection hold together?");
  command->footer(kExamples);
  const auto options = std::make_shared<CheckDataOptions>();
  command->add_option("folder", options->folder, "The collection")->required()->type_name("FOLDER");
  add_choice<bool>(*command, "--format", options->as_json, {{"text", false}, {"json", true}},
                   "text or json");
  command->callback([options, &exit_code] {
    const Result<int> result = check_folder(*options);
    exit_code = result.ok() ? result.value() : report_failure(result.error());
  });
}

}  // namespace rr
