#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "apps/reasonrank/choice_option.h"
#include "apps/reasonrank/commands.h"
#include "rr/base/atomic_file.h"
#include "rr/fusion/fuse.h"
#include "rr/ir/run_file.h"

namespace rr {
namespace {

constexpr const char* kExamples =
    R"(rrf adds 1 / (60 + rank) over the runs: scores count by their order only. linear adds scores,
brought onto one scale within each topic: minmax to 0..1, zmuv to mean 0 and variance 1.

Examples:
  reasonrank fuse bm25.trec dense.trec -o fused.trec
  reasonrank fuse bm25.trec dense.trec --method linear --normalize zmuv --weights 0.3,0.7 -o fused.trec)";

struct FuseCommandOptions {
  std::vector<std::string> runs;
  FusionOptions fusion;
  std::string output = "-";
  std::string tag;
};

Result<std::vector<Run>> read_runs(const FuseCommandOptions& options) {
  std::vector<Run> runs;
  for (const std::string& path : options.runs) {
    RR_TRY(ReadRun read, read_run(path));
    if (read.run.rankings.empty()) {
      return Error{Errc::kMalformed, "expected a run with topics, found none", path};
    }
    runs.push_back(std::move(read.run));
  }
  return runs;
}

// Says aloud where the runs do not know the same topics.
Status check_topics(const std::vector<Run>& runs) {
  std::map<Qid, std::size_t> runs_of_topic;
  for (const Run& run : runs) {
    for (const Ranking& ranking : run.rankings) ++runs_of_topic[ranking.qid];
  }
  std::size_t alone = 0;
  std::size_t incomplete = 0;
  for (const auto& [qid, count] : runs_of_topic) {
    if (count == 1) ++alone;
    if (count < runs.size()) ++incomplete;
  }
  if (alone == runs_of_topic.size()) {
    return Error{Errc::kMalformed,
                 "the runs have no topic in common; do they belong to the same topics?", ""};
  }
  if (incomplete > 0) {
    fmt::print(stderr, "reasonrank: {} of {} topics {} not in every run and {} fused from fewer\n",
               incomplete, runs_of_topic.size(), incomplete == 1 ? "is" : "are",
               incomplete == 1 ? "is" : "are");
  }
  return ok_status();
}

// An output that cannot be written shows before the work, as for every command.
Status fuse_files(const FuseCommandOptions& options) {
  RR_TRY(AtomicFile output,
         AtomicFile::create(options.output == "-" ? "/dev/stdout" : options.output));
  RR_TRY(const std::vector<Run> runs, read_runs(options));
  RR_TRY_STATUS(check_topics(runs));
  Run fused = fuse(runs, options.fusion);
  fused.tag = options.tag;
  RR_TRY_STATUS(write_run(fused, output));
  return output.commit();
}

// Numbers with commas between them.
std::vector<double> parse_weights(const std::string& list) {
  std::vector<double> weights;
  for (std::size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
    end = list.find(',', begin);
    const std::string text = list.substr(begin, end - begin);
    double weight = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), weight);
    const bool is_number = error == std::errc() && stop == text.data() + text.size();
    if (!is_number || !std::isfinite(weight)) {
      throw CLI::ValidationError(
          "--weights",
          fmt::format("expected numbers with commas between them, found \"{}\"", text));
    }
    weights.push_back(weight);
  }
  return weights;
}

void add_fusion_options(CLI::App& command, FusionOptions& fusion) {
  add_choice<FusionMethod>(
      command, "--method", fusion.method,
      {{"rrf", FusionMethod::kReciprocalRank}, {"linear", FusionMethod::kLinear}},
      "By reciprocal ranks, or by scores");
  add_choice<Normalization>(command, "--normalize", fusion.normalization,
                            {{"minmax", Normalization::kMinMax},
                             {"zmuv", Normalization::kZmuv},
                             {"none", Normalization::kNone}},
                            "The scale of scores in linear");
  add_choice<AbsentScore>(
      command, "--absent", fusion.absent,
      {{"zero", AbsentScore::kZero}, {"lowest", AbsentScore::kLowest}},
      "What a run without a document adds in linear: nothing, or its lowest score");
  command
      .add_option_function<std::string>(
          "--weights", [&fusion](const std::string& list) { fusion.weights = parse_weights(list); },
          "One for each run, with commas between them; all 1 if absent")
      ->type_name("W,W...");
  command.add_option("--rrf-k", fusion.rrf_k, "k of rrf: larger means that low ranks count more")
      ->check(CLI::Range(0.0, 1e9).description(""))
      ->type_name("K")
      ->capture_default_str();
  command.add_option("-k,--depth", fusion.depth, "Documents to keep in a topic")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000'000}).description(""))
      ->type_name("N")
      ->capture_default_str();
}

void add_options(CLI::App& command, FuseCommandOptions& options) {
  command.add_option("runs", options.runs, "Two or more TREC runs")
      ->required()
      ->expected(2, 1'000)
      ->type_name("RUN...");
  add_fusion_options(command, options.fusion);
  command.add_option("-o,--output", options.output, "The fused run; - for standard output")
      ->type_name("FILE")
      ->capture_default_str();
  command.add_option("--tag", options.tag, "Sixth column of the run")
      ->type_name("TAG")
      ->default_str("reasonrank");
}

void check_weights(const FuseCommandOptions& options) {
  const std::size_t num_weights = options.fusion.weights.size();
  if (num_weights == 0 || num_weights == options.runs.size()) return;
  throw CLI::ValidationError("--weights",
                             fmt::format("expected {} numbers, one for each run, found {}",
                                         options.runs.size(), num_weights));
}

}  // namespace

void add_fuse_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("fuse", "Make one run out of several");
  const auto options = std::make_shared<FuseCommandOptions>();
  add_options(*command, *options);
  command->footer(kExamples);
  command->callback([options, &exit_code] {
    check_weights(*options);
    const Status status = fuse_files(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
