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
#include "rr/base/machine.h"
#include "rr/base/wording.h"
#include "rr/fusion/fuse.h"
#include "rr/fusion/settings_file.h"
#include "rr/fusion/tune.h"
#include "rr/ir/qrels_file.h"
#include "rr/ir/run_file.h"

namespace rr {
namespace {

constexpr const char* kExamples =
    R"(rrf adds 1 / (60 + rank) over the runs: scores count by their order only. linear adds scores,
brought onto one scale within each topic: minmax to 0..1, zmuv to mean 0 and variance 1.

--tune QRELS chooses weights, and whatever of method, scale and k is not said, by what is best on the
topics of QRELS; cross-validation says what to expect on others. --save keeps the choice, --settings
fuses the same systems' runs of other topics by it.

Examples:
  reasonrank fuse bm25.trec dense.trec -o fused.trec
  reasonrank fuse bm25.trec dense.trec --method linear --normalize zmuv --weights 0.3,0.7 -o fused.trec
  reasonrank fuse bm25.train dense.train --tune qrels.train -m nDCG@10 --save fuse.json -o train.trec
  reasonrank fuse bm25.test dense.test --settings fuse.json -o test.trec)";

struct FuseCommandOptions {
  std::vector<std::string> runs;
  FusionOptions fusion;
  std::string settings;  // a file that says how to fuse
  std::string tune;      // qrels by which to choose
  std::string measure = "nDCG@10";
  TuneSpace space;
  TuneOptions tuning;
  std::string save;
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

void report_tuning(const Tuning& tuning, const FuseCommandOptions& options) {
  const std::string measure = name_of(options.tuning.measure);
  fmt::print(stderr, "tuned on {} by {}, {} tried\n", counted(tuning.num_topics, "topic"), measure,
             counted(tuning.candidates, "setting"));
  for (std::size_t i = 0; i < options.runs.size(); ++i) {
    fmt::print(stderr, "  {:.4f}  {} alone\n", tuning.alone[i], options.runs[i]);
  }
  fmt::print(stderr, "  {:.4f}  rrf with k 60 and equal weights, untuned\n", tuning.untuned);
  fmt::print(stderr, "  {:.4f}  in sample: {}\n", tuning.in_sample, as_command_line(tuning.chosen));
  fmt::print(stderr, "  {:.4f}  held out: {} folds, seed {}, each topic fused without a say\n",
             tuning.held_out, options.tuning.folds, options.tuning.seed);
  for (const TunedFold& fold : tuning.folds) {
    fmt::print(stderr, "    {:.4f} on {} ({:.4f} on the others): {}\n", fold.held_out,
               counted(fold.num_held_out, "topic"), fold.trained, as_command_line(fold.chosen));
  }
}

Status save_settings(const FuseCommandOptions& options, const FusionOptions& fusion,
                     const Tuning* tuning) {
  if (options.save.empty()) return ok_status();
  return write_file(options.save,
                    format_fusion_settings({options.runs, fusion}, tuning, options.tuning.measure));
}

// How to fuse: as tuned, as a file says, or as the command line does.
Result<FusionOptions> settle_fusion(const FuseCommandOptions& options,
                                    const std::vector<Run>& runs) {
  if (!options.tune.empty()) {
    RR_TRY(const Qrels qrels, read_qrels(options.tune));
    auto tuned = tune_fusion(runs, qrels, families_of(options.space), options.tuning);
    if (!tuned.ok()) return Error{tuned.error().code, tuned.error().message, options.tune};
    report_tuning(tuned.value(), options);
    RR_TRY_STATUS(save_settings(options, tuned->chosen, &tuned.value()));
    return tuned->chosen;
  }
  FusionOptions fusion = options.fusion;
  if (!options.settings.empty()) {
    RR_TRY(FusionSettings settings, read_fusion_settings(options.settings));
    settings.options.depth = fusion.depth;
    fusion = std::move(settings.options);
    if (fusion.weights.size() != runs.size()) {
      return Error{Errc::kMalformed,
                   fmt::format("expected settings for {} runs, found {} weights", runs.size(),
                               fusion.weights.size()),
                   options.settings};
    }
  }
  RR_TRY_STATUS(save_settings(options, fusion, nullptr));
  return fusion;
}

// An output that cannot be written shows before the work, as for every command.
Status fuse_files(const FuseCommandOptions& options) {
  RR_TRY(AtomicFile output,
         AtomicFile::create(options.output == "-" ? "/dev/stdout" : options.output));
  RR_TRY(const std::vector<Run> runs, read_runs(options));
  RR_TRY_STATUS(check_topics(runs));
  RR_TRY(const FusionOptions fusion, settle_fusion(options, runs));
  Run fused = fuse(runs, fusion);
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
  command.add_option("--tune", options.tune, "Choose how to fuse by what is best on these qrels")
      ->type_name("QRELS");
  command.add_option("-m,--measure", options.measure, "What is best, with --tune")
      ->type_name("NAME")
      ->capture_default_str();
  command.add_option("--folds", options.tuning.folds, "Of the cross-validation of --tune")
      ->check(CLI::Range(std::size_t{2}, std::size_t{1'000'000}).description(""))
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--seed", options.tuning.seed, "Of the folds")
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--save", options.save, "Keep how it was fused here")->type_name("FILE");
  command.add_option("--settings", options.settings, "Fuse as a file of --save says")
      ->type_name("FILE");
  command.add_option("-o,--output", options.output, "The fused run; - for standard output")
      ->type_name("FILE")
      ->capture_default_str();
  command.add_option("--tag", options.tag, "Sixth column of the run")
      ->type_name("TAG")
      ->default_str("reasonrank");
}

// What the command line says of how to fuse is what tuning leaves as it is.
void settle_tuning(const CLI::App& command, FuseCommandOptions& options) {
  const auto refuse = [](const char* option, const std::string& why) {
    throw CLI::ValidationError(option, why);
  };
  const bool tunes = !options.tune.empty();
  const bool is_said = command.count("--method") + command.count("--rrf-k") +
                           command.count("--normalize") + command.count("--absent") +
                           command.count("--weights") >
                       0;
  if (!options.settings.empty() && (tunes || is_said)) {
    refuse("--settings", "says how to fuse; leave the other options of that out");
  }
  if (!tunes) return;
  if (command.count("--weights") > 0) refuse("--tune", "chooses the weights; leave --weights out");
  const auto measure = parse_measure(options.measure);
  if (!measure.ok()) refuse("--measure", measure.error().message);
  if (measure->kind == Measure::Kind::kRbo) refuse("--measure", "RBO knows no qrels");
  options.tuning.measure = measure.value();
  options.tuning.num_threads = usable_cores();
  options.space.depth = options.fusion.depth;
  if (command.count("--method") > 0) options.space.method = options.fusion.method;
  if (command.count("--rrf-k") > 0) options.space.rrf_k = options.fusion.rrf_k;
  if (command.count("--normalize") > 0) options.space.normalization = options.fusion.normalization;
  if (command.count("--absent") > 0) options.space.absent = options.fusion.absent;
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
  command->callback([options, command, &exit_code] {
    settle_tuning(*command, *options);
    check_weights(*options);
    const Status status = fuse_files(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
