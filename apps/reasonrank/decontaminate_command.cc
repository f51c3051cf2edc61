#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/reasonrank/choice_option.h"
#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/sample_inputs.h"
#include "rr/base/clock.h"
#include "rr/base/json.h"
#include "rr/synth/contamination.h"

namespace rr {
namespace {

constexpr const char* kExamples =
    R"(Texts are compared by their words: case, punctuation and spacing do not matter. They overlap where they
are equal (exact), nearly equal (near), or share a run of 13 words (13-gram). A sample is dropped
where its query overlaps with a query or passage of a test set, or one of its passages with a test
query; passages that the corpora share are named in the report only (--drop all drops them too).
Of samples with equal or nearly equal queries the first stays.

Test sets are BEIR folders (queries.jsonl, corpus.jsonl), folders of such folders, or files of
topics. They may be research-only: they are read, never written.

Examples:
  reasonrank decontaminate kept.jsonl --against bright/ beir/ -o clean.jsonl
  reasonrank decontaminate kept.jsonl --against bright/ -o clean.jsonl --report hits.jsonl)";

struct DecontaminateOptions {
  SampleInputs inputs;
  std::vector<std::string> against;
  DropRule rule = DropRule::kQueries;
  std::string output;
  std::string report;
};

Json to_json(const OverlapHit& hit) {
  Json json = {
      {"dataset", hit.dataset}, {"qid", hit.qid.str()}, {"text", text_kind_name(hit.kind)}};
  if (hit.kind == TextKind::kPassage) json["docid"] = hit.docid.str();
  json["overlap"] = overlap_kind_name(hit.overlap.kind);
  json["share"] = hit.overlap.share;
  json["with"] = {{"set", hit.overlap.test_set},
                  {"text", text_kind_name(hit.overlap.test_kind)},
                  {"id", hit.overlap.test_id}};
  json["drops"] = hit.drops;
  return json;
}

// "query with query: 12 exact, 3 near": hits by who overlaps with what, and how.
std::string table_of_hits(const std::vector<OverlapHit>& hits) {
  std::map<std::string, std::map<std::string, std::size_t>> counts;
  for (const OverlapHit& hit : hits) {
    const std::string who = hit.overlap.test_set == "samples"
                                ? "query with an earlier sample's"
                                : fmt::format("{} with test {}", text_kind_name(hit.kind),
                                              text_kind_name(hit.overlap.test_kind));
    ++counts[who][overlap_kind_name(hit.overlap.kind)];
  }
  std::string text;
  for (const auto& [who, kinds] : counts) {
    text += who + ":";
    const char* separator = " ";
    for (const auto& [kind, count] : kinds) {
      text += fmt::format("{}{} {}", separator, count, kind);
      separator = ", ";
    }
    text += "\n";
  }
  return text;
}

std::string describe(const LabelNoise& noise) {
  return fmt::format(
      "of the samples kept: {:.2f} passages and {:.2f} positives a list; {} lists all positive, {} "
      "hold a text twice, {} label a text both ways; the first choice is no positive in {}\n",
      noise.mean_list, noise.mean_positives, noise.all_positive, noise.repeated_text,
      noise.contradictory, noise.first_is_negative);
}

Status write_report(const std::vector<OverlapHit>& hits, AtomicFile& file) {
  for (const OverlapHit& hit : hits) RR_TRY_STATUS(file.write(to_json_line(to_json(hit)) + "\n"));
  return file.commit();
}

Status run(const DecontaminateOptions& options) {
  RR_TRY(AtomicFile output,
         AtomicFile::create(options.output == "-" ? "/dev/stdout" : options.output));
  std::optional<AtomicFile> hits;
  if (!options.report.empty()) {
    RR_TRY(hits, AtomicFile::create(options.report));
  }
  RR_TRY(const std::vector<Sample> samples, read_sample_inputs(options.inputs));
  RR_TRY_STATUS(check_texts(samples));

  const Clock::time_point start = Clock::now();
  TestSets tests;
  for (const std::string& path : options.against) RR_TRY_STATUS(add_test_sets(path, tests));
  const double indexed_s = seconds_since(start);
  const Decontamination result = decontaminate(samples, tests, options.rule);
  const double compared_s = seconds_since(start) - indexed_s;

  std::vector<Sample> kept;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (!result.is_kept[i]) continue;
    RR_TRY_STATUS(write_sample(samples[i], output));
    kept.push_back(samples[i]);
  }
  const DecontaminationReport& report = result.report;
  std::string text = fmt::format(
      "test sets: {} queries and {} passages, {:.1f} MB, read in {:.2f} s\n"
      "{} samples compared in {:.2f} s: {} kept, {} dropped for a test set, {} for an earlier "
      "sample's query\n",
      tests.num_queries(), tests.num_passages(), static_cast<double>(tests.num_bytes()) / 1e6,
      indexed_s, report.samples, compared_s, report.kept, report.leaked, report.repeated);
  text += table_of_hits(report.hits) + describe(label_noise(kept));
  std::fputs(text.c_str(), stderr);
  if (hits) RR_TRY_STATUS(write_report(report.hits, *hits));
  return output.commit();
}

}  // namespace

void add_decontaminate_command(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("decontaminate", "Leave out samples that test sets or others repeat");
  const auto options = std::make_shared<DecontaminateOptions>();
  add_sample_inputs(*command, options->inputs);
  command
      ->add_option("--against", options->against,
                   "Test sets: folders, or files of topics; without any, only repeated samples")
      ->type_name("DIR...");
  add_choice<DropRule>(
      *command, "--drop", options->rule,
      {{"queries", DropRule::kQueries}, {"all", DropRule::kAll}, {"none", DropRule::kNone}},
      "What leaves a sample out: overlaps that involve a query, all, or none");
  command->add_option("-o,--output", options->output, "The samples kept; - for standard output")
      ->required()
      ->type_name("FILE");
  command->add_option("--report", options->report, "Every hit, one JSON object a line")
      ->type_name("FILE");
  command->footer(kExamples);
  command->callback([options, &exit_code] {
    const Status status = run(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
