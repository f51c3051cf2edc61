#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "apps/reasonrank/choice_option.h"
#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/evaluated_runs.h"
#include "rr/base/json.h"
#include "rr/measures/compare.h"
#include "rr/report/table.h"

namespace rr {
namespace {

constexpr const char* kDefaultMeasures = "nDCG@10";
constexpr int kMostRuns = 26;  // each has a letter

constexpr const char* kExamples =
    R"(Every run is compared with every other on the topics that all of them have; the first is the
base. A letter after a mean says that the run is significantly better than the run of that letter.

Examples:
  reasonrank compare qrels.txt bm25.trec out.trec
  reasonrank compare qrels.txt bm25.trec a.trec b.trec -m nDCG@10,RR@10 --test randomisation
  reasonrank compare qrels.txt bm25.trec a.trec --format markdown)";

struct CompareCommandOptions {
  EvaluationInputs inputs;
  CompareOptions compare;
  std::string format = "table";
};

struct NamedComparison {
  std::vector<EvaluatedRun> runs;
  Comparison comparison;
};

std::string letter_of(std::size_t run) { return std::string(1, static_cast<char>('a' + run)); }

const char* name_of(TestKind test) {
  if (test == TestKind::kPairedT) return "paired t-test";
  return test == TestKind::kWilcoxon ? "Wilcoxon's signed-rank test"
                                     : "Fisher's randomisation test";
}

const char* name_of(Correction correction) {
  if (correction == Correction::kNone) return "no correction";
  return correction == Correction::kHolm ? "Holm's correction" : "Bonferroni's correction";
}

Result<NamedComparison> compare_files(const CompareCommandOptions& options) {
  NamedComparison named;
  RR_TRY(named.runs, evaluate_runs(options.inputs));
  std::vector<Evaluation> evaluations;
  for (const EvaluatedRun& run : named.runs) evaluations.push_back(run.evaluation);
  named.comparison = compare_runs(evaluations, options.inputs.measures.size(), options.compare);
  if (named.comparison.num_topics == 0) {
    return Error{
        Errc::kMalformed,
        "the runs have no topic of the qrels in common; do they belong to the same topics?",
        options.inputs.qrels};
  }
  for (std::size_t i = 0; i < named.runs.size(); ++i) {
    const std::size_t left_out = named.comparison.left_out[i];
    if (left_out == 0) continue;
    fmt::print(stderr, "reasonrank: {}: {} left out, which another run lacks\n", named.runs[i].path,
               counted(left_out, "topic"));
  }
  return named;
}

std::string format_interval(const Interval& interval, const char* number) {
  return fmt::format("[{}, {}]", fmt::format(fmt::runtime(number), interval.low),
                     fmt::format(fmt::runtime(number), interval.high));
}

std::string format_p(double p) { return p < 0.0001 ? "<0.0001" : fmt::format("{:.4f}", p); }

std::string letters_of(const std::vector<std::size_t>& runs) {
  std::string letters;
  for (const std::size_t run : runs) letters += letter_of(run);
  return letters;
}

// The pairs (0, 1), (0, 2), ... come first.
void add_pair_with_base(const ComparedPair& pair, Row& row) {
  row.emplace_back(fmt::format("{:+.4f}", pair.difference));
  row.emplace_back(format_interval(pair.interval, "{:+.4f}"));
  row.emplace_back(fmt::format("{}/{}/{}", pair.wins, pair.ties, pair.losses));
  row.emplace_back(format_p(pair.adjusted_p));
  row.emplace_back(fmt::format("{:.2f}", pair.effect_size));
  row.emplace_back(pair.detectable ? fmt::format("{:.4f}", *pair.detectable) : "-");
}

Table table_of(const NamedComparison& named, const MeasureComparison& measure,
               const CompareCommandOptions& options) {
  const std::string percent = fmt::format("{:g}%", 100 * options.compare.confidence);
  Table table;
  table.text_columns = 2;
  table.header = {"",      "run",          "mean",         "beats",  percent,     "vs a",
                  percent, "win/tie/loss", "p (adjusted)", "effect", "detectable"};
  std::vector<double> means;
  for (std::size_t i = 0; i < named.runs.size(); ++i) {
    const ComparedRun& run = measure.runs[i];
    Row row = {letter_of(i), named.runs[i].path, fmt::format("{:.4f}", run.mean),
               letters_of(run.beaten), format_interval(run.interval, "{:.4f}")};
    if (i > 0) add_pair_with_base(measure.pairs[i - 1], row);
    while (row.size() < table.header.size()) row.emplace_back("");
    table.rows.push_back(std::move(row));
    means.push_back(run.mean);
  }
  mark_best(table, 2, means);
  return table;
}

// How the numbers were made: without it nobody can repeat them.
std::string explain(const NamedComparison& named, const CompareCommandOptions& options) {
  const CompareOptions& compare = options.compare;
  const std::size_t num_pairs = named.runs.size() * (named.runs.size() - 1) / 2;
  const bool is_corrected = compare.correction != Correction::kNone && num_pairs > 1;
  std::string text = fmt::format(
      "p: two-sided {}, {}, level {:g}; \"beats\" names the runs that "
      "are significantly worse.\n",
      name_of(compare.test),
      num_pairs == 1 ? "one pair, so no correction"
                     : fmt::format("{} over the {} pairs of each measure",
                                   name_of(compare.correction), num_pairs),
      compare.alpha);
  if (compare.test == TestKind::kRandomisation) {
    text += fmt::format(
        "Sign patterns: all of them up to {} topics that differ, above {} sampled, seed {}.\n",
        kExactRandomisation, compare.samples, compare.seed);
  }
  text += fmt::format(
      "{:g}%: interval by bias-corrected and accelerated bootstrap over topics, {} resamples, seed "
      "{}.\n",
      100 * compare.confidence, compare.resamples, compare.seed);
  text += fmt::format(
      "effect: mean difference / its standard deviation. detectable: the smallest true difference "
      "that a t-test at level {:g}{} finds on so many topics with probability {:g}.\n",
      compare.alpha, is_corrected ? fmt::format("/{}", num_pairs) : "", compare.power);
  return text;
}

std::string format_tables(const NamedComparison& named, const CompareCommandOptions& options) {
  const bool is_markdown = options.format == "markdown";
  std::string text;
  for (std::size_t i = 0; i < options.inputs.measures.size(); ++i) {
    const Table table = table_of(named, named.comparison.measures[i], options);
    const std::string title = fmt::format("{}, {}", name_of(options.inputs.measures[i]),
                                          counted(named.comparison.num_topics, "topic"));
    text += is_markdown
                ? fmt::format("**{}**\n\n{}\n", title, as_markdown(table))
                : fmt::format("{}\n{}\n", title, as_text(table, isatty(STDOUT_FILENO) == 1));
  }
  return text + explain(named, options);
}

// JSON has no infinity: an effect without spread becomes null.
Json number_or_null(double number) { return std::isfinite(number) ? Json(number) : Json(nullptr); }

Json interval_as_json(const Interval& interval) { return {interval.low, interval.high}; }

Json pair_as_json(const ComparedPair& pair, const NamedComparison& named) {
  return {{"base", named.runs[pair.base].path},
          {"run", named.runs[pair.other].path},
          {"difference", pair.difference},
          {"interval", interval_as_json(pair.interval)},
          {"wins", pair.wins},
          {"ties", pair.ties},
          {"losses", pair.losses},
          {"statistic", number_or_null(pair.test.statistic)},
          {"p", pair.test.p_value},
          {"adjusted_p", pair.adjusted_p},
          {"effect_size", number_or_null(pair.effect_size)},
          {"detectable", pair.detectable ? Json(*pair.detectable) : Json(nullptr)}};
}

Json measure_as_json(std::size_t index, const NamedComparison& named,
                     const CompareCommandOptions& options) {
  const MeasureComparison& measure = named.comparison.measures[index];
  Json runs = Json::array();
  for (std::size_t i = 0; i < named.runs.size(); ++i) {
    Json beats = Json::array();
    for (const std::size_t run : measure.runs[i].beaten) beats.push_back(named.runs[run].path);
    runs.push_back({{"run", named.runs[i].path},
                    {"mean", measure.runs[i].mean},
                    {"interval", interval_as_json(measure.runs[i].interval)},
                    {"beats", std::move(beats)}});
  }
  Json pairs = Json::array();
  for (const ComparedPair& pair : measure.pairs) pairs.push_back(pair_as_json(pair, named));
  return {{"measure", name_of(options.inputs.measures[index])},
          {"runs", std::move(runs)},
          {"pairs", std::move(pairs)}};
}

std::string format_json(const NamedComparison& named, const CompareCommandOptions& options) {
  Json measures = Json::array();
  for (std::size_t i = 0; i < options.inputs.measures.size(); ++i) {
    measures.push_back(measure_as_json(i, named, options));
  }
  const CompareOptions& compare = options.compare;
  return to_json_line({{"qrels", options.inputs.qrels},
                       {"topics", named.comparison.num_topics},
                       {"test", name_of(compare.test)},
                       {"correction", name_of(compare.correction)},
                       {"alpha", compare.alpha},
                       {"power", compare.power},
                       {"confidence", compare.confidence},
                       {"resamples", compare.resamples},
                       {"seed", compare.seed},
                       {"measures", std::move(measures)}}) +
         "\n";
}

Status compare(const CompareCommandOptions& options) {
  RR_TRY(const NamedComparison named, compare_files(options));
  return write_to_stdout(options.format == "json" ? format_json(named, options)
                                                  : format_tables(named, options));
}

void add_statistics_options(CLI::App& command, CompareOptions& options) {
  add_choice<TestKind>(command, "--test", options.test,
                       {{"t", TestKind::kPairedT},
                        {"randomisation", TestKind::kRandomisation},
                        {"wilcoxon", TestKind::kWilcoxon}},
                       "Of significance: paired t, Fisher's randomisation, signed ranks");
  add_choice<Correction>(command, "--correction", options.correction,
                         {{"holm", Correction::kHolm},
                          {"bonferroni", Correction::kBonferroni},
                          {"none", Correction::kNone}},
                         "For many comparisons, over all pairs of runs");
  command.add_option("--alpha", options.alpha, "Level of significance")
      ->check(CLI::Range(1e-9, 0.4).description(""))
      ->type_name("P")
      ->capture_default_str();
  command.add_option("--confidence", options.confidence, "Confidence of intervals")
      ->check(CLI::Range(0.01, 0.9999).description(""))
      ->type_name("P")
      ->capture_default_str();
  command.add_option("--seed", options.seed, "Of resamples and sampled sign patterns")
      ->type_name("N")
      ->capture_default_str();
}

void add_options(CLI::App& command, CompareCommandOptions& options) {
  command
      .add_option("qrels", options.inputs.qrels, "Relevance judgements: TREC qrels or a BEIR .tsv")
      ->required()
      ->type_name("QRELS");
  command.add_option("runs", options.inputs.runs, "The base run, then the others; 26 at most")
      ->required()
      ->expected(2, kMostRuns)
      ->type_name("BASE RUN...");
  add_evaluation_options(command, options.inputs, kDefaultMeasures);
  add_statistics_options(command, options.compare);
  command.add_option("--format", options.format, "table, json (all pairs) or markdown")
      ->check(CLI::IsMember({"table", "json", "markdown"}))
      ->type_name("FORMAT")
      ->capture_default_str();
}

}  // namespace

void add_compare_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("compare", "Test whether runs really differ");
  const auto options = std::make_shared<CompareCommandOptions>();
  add_options(*command, *options);
  command->footer(kExamples);
  command->callback([options, &exit_code] {
    const Status status = compare(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
