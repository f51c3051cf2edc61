#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/filter_report.h"
#include "apps/reasonrank/sample_inputs.h"
#include "rr/synth/consistency.h"

namespace rr {
namespace {

constexpr const char* kExamples =
    R"(A sample is kept iff nDCG@10 of the teacher's order, with its own pointwise labels as truth, reaches
the threshold: with one positive, iff the teacher put it at rank 4 or better. Samples without an
order are dropped. Tables go to standard error.

Examples:
  reasonrank filter work/samples.jsonl -o kept.jsonl
  reasonrank filter work/samples.jsonl --threshold 0.6 -o kept.jsonl --report report.html
  reasonrank filter training_data_all.jsonl --texts reasonrank_data_13k -o kept.jsonl)";

struct FilterOptions {
  SampleInputs inputs;
  double threshold = kPublishedThreshold;
  std::string output;
  std::string dropped;
  std::string report;
};

Status filter(const FilterOptions& options) {
  RR_TRY(AtomicFile kept,
         AtomicFile::create(options.output == "-" ? "/dev/stdout" : options.output));
  std::optional<AtomicFile> dropped;
  if (!options.dropped.empty()) {
    RR_TRY(dropped, AtomicFile::create(options.dropped));
  }
  RR_TRY(std::vector<Sample> samples, read_sample_inputs(options.inputs));
  for (Sample& sample : samples) {
    if (!sample.final_list.empty()) sample.scores["ndcg@10"] = consistency_of(sample);
    const bool keep = is_consistent(sample, options.threshold);
    if (keep || dropped) RR_TRY_STATUS(write_sample(sample, keep ? kept : *dropped));
  }
  const ConsistencyReport report = report_consistency(samples, options.threshold);
  for (const Table& table : tables_of(report)) {
    std::fputs((as_text(table, false) + "\n").c_str(), stderr);
  }
  if (!options.report.empty()) {
    RR_TRY_STATUS(write_page(filter_page(report, samples, options.inputs.samples), options.report));
  }
  if (dropped) RR_TRY_STATUS(dropped->commit());
  return kept.commit();
}

}  // namespace

void add_filter_command(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("filter", "Keep samples whose order agrees with their labels");
  const auto options = std::make_shared<FilterOptions>();
  add_sample_inputs(*command, options->inputs);
  command->add_option("--threshold", options->threshold, "Least nDCG@10 of a sample that is kept")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("X")
      ->capture_default_str();
  command->add_option("-o,--output", options->output, "The samples kept; - for standard output")
      ->required()
      ->type_name("FILE");
  command->add_option("--dropped", options->dropped, "The others")->type_name("FILE");
  command->add_option("--report", options->report, "The report as an HTML page")->type_name("FILE");
  command->footer(kExamples);
  command->callback([options, &exit_code] {
    const Status status = filter(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
