#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "apps/reasonrank/choice_option.h"
#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/compare_page.h"
#include "apps/reasonrank/evaluated_runs.h"
#include "rr/base/json.h"
#include "rr/base/wording.h"
#include "rr/measures/compare.h"
#include "rr/report/comparison_tables.h"
#include "rr/report/table.h"

namespace rr {
namespace {

constexpr const char* kDefaultMeasures = "nDCG@10";
constexpr int kMostRuns = 26;  // each has a letter

constexpr const char* kExamples =
    R"(Every run is compared with every other on the topics that all of them have; the first is the
base. A letter after a mean says that the run is significantly better than the run of that letter.

--html writes a page for people beside the table: charts of the means and of single topics, precision
over recall, where relevant documents moved, and the topics most helped and most hurt under the first
measure; with their text from --topics and --corpus, and tokens and seconds from --trace. It is one
file and needs no network.

Examples:
  reasonrank compare qrels.txt bm25.trec out.trec
  reasonrank compare qrels.txt bm25.trec a.trec b.trec -m nDCG@10,RR@10 --test randomisation
  reasonrank compare qrels.txt bm25.trec a.trec --format markdown
  reasonrank compare qrels.txt bm25.trec a.trec b.trec --html report.html --topics queries.jsonl \
    --corpus corpus.jsonl --trace b=a.jsonl --trace c=b.jsonl)";

struct CompareCommandOptions {
  EvaluationInputs inputs;
  CompareOptions compare;
  std::string format = "table";
  ComparePageOptions page;
};

Result<ComparisonReport> compare_files(const CompareCommandOptions& options) {
  ComparisonReport report;
  report.qrels = options.inputs.qrels;
  report.options = options.compare;
  for (const Measure& measure : options.inputs.measures) {
    report.measures.push_back(name_of(measure));
  }
  for (const std::string& path : options.inputs.runs) report.runs.push_back({path, {}, {}});
  LookAtRun look;
  if (!options.page.html.empty()) {
    look = [&report, &options, next = std::size_t{0}](const Run& run, const Qrels& qrels) mutable {
      const int relevant_from = options.inputs.measures.front().relevant_from;
      report.runs[next++].details = details_of(run, qrels, relevant_from);
    };
  }
  RR_TRY(const std::vector<EvaluatedRun> runs, evaluate_runs(options.inputs, look));
  std::vector<Evaluation> evaluations;
  for (const EvaluatedRun& run : runs) evaluations.push_back(run.evaluation);
  report.comparison = compare_runs(evaluations, report.measures.size(), options.compare);
  if (report.comparison.num_topics == 0) {
    return Error{
        Errc::kMalformed,
        "the runs have no topic of the qrels in common; do they belong to the same topics?",
        options.inputs.qrels};
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::size_t left_out = report.comparison.left_out[i];
    if (left_out == 0) continue;
    fmt::print(stderr, "reasonrank: {}: {} left out, which another run lacks\n", runs[i].path,
               counted(left_out, "topic"));
  }
  return report;
}

// `text` with `mark` before each of its lines.
std::string commented(const std::string& text, const char* mark) {
  std::string result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) result += mark + line + '\n';
  return result;
}

std::string format_table(const Table& table, const std::string& title, const std::string& format) {
  if (format == "markdown") return fmt::format("**{}**\n\n{}\n", title, as_markdown(table));
  if (format == "latex") return fmt::format("% {}\n{}\n", title, as_latex(table));
  return fmt::format("{}\n{}\n", title, as_text(table, isatty(STDOUT_FILENO) == 1));
}

std::string format_tables(const ComparisonReport& report, const CompareCommandOptions& options) {
  std::string text;
  for (std::size_t i = 0; i < report.measures.size(); ++i) {
    const Table table =
        comparison_table(options.inputs.runs, report.comparison.measures[i], report.options);
    const std::string title =
        fmt::format("{}, {}", report.measures[i], counted(report.comparison.num_topics, "topic"));
    text += format_table(table, title, options.format);
  }
  const std::string explanation = explain_comparison(report.runs.size(), report.options);
  return text + (options.format == "latex" ? commented(explanation, "% ") : explanation);
}

// A line for each pair under each measure; numbers as they read back the same.
std::string format_tsv(const ComparisonReport& report) {
  std::string text =
      "measure\tbase\trun\tbase_mean\trun_mean\tdifference\tlow\thigh\twins\tties\tlosses\t"
      "statistic\tp\tadjusted_p\teffect_size\tdetectable\n";
  for (std::size_t m = 0; m < report.measures.size(); ++m) {
    const MeasureComparison& measure = report.comparison.measures[m];
    for (const ComparedPair& pair : measure.pairs) {
      text +=
          fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
                      report.measures[m], report.runs[pair.base].name, report.runs[pair.other].name,
                      measure.runs[pair.base].mean, measure.runs[pair.other].mean, pair.difference,
                      pair.interval.low, pair.interval.high, pair.wins, pair.ties, pair.losses,
                      pair.test.statistic, pair.test.p_value, pair.adjusted_p, pair.effect_size,
                      pair.detectable ? fmt::format("{}", *pair.detectable) : "");
    }
  }
  return text;
}

// JSON has no infinity: an effect without spread becomes null.
Json number_or_null(double number) { return std::isfinite(number) ? Json(number) : Json(nullptr); }

Json interval_as_json(const Interval& interval) { return {interval.low, interval.high}; }

Json pair_as_json(const ComparedPair& pair, const ComparisonReport& report) {
  return {{"base", report.runs[pair.base].name},
          {"run", report.runs[pair.other].name},
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

Json measure_as_json(std::size_t index, const ComparisonReport& report) {
  const MeasureComparison& measure = report.comparison.measures[index];
  Json runs = Json::array();
  for (std::size_t i = 0; i < report.runs.size(); ++i) {
    Json beats = Json::array();
    for (const std::size_t run : measure.runs[i].beaten) beats.push_back(report.runs[run].name);
    runs.push_back({{"run", report.runs[i].name},
                    {"mean", measure.runs[i].mean},
                    {"interval", interval_as_json(measure.runs[i].interval)},
                    {"beats", std::move(beats)}});
  }
  Json pairs = Json::array();
  for (const ComparedPair& pair : measure.pairs) pairs.push_back(pair_as_json(pair, report));
  return {
      {"measure", report.measures[index]}, {"runs", std::move(runs)}, {"pairs", std::move(pairs)}};
}

std::string format_json(const ComparisonReport& report) {
  Json measures = Json::array();
  for (std::size_t i = 0; i < report.measures.size(); ++i) {
    measures.push_back(measure_as_json(i, report));
  }
  const CompareOptions& compare = report.options;
  return to_json_line({{"qrels", report.qrels},
                       {"topics", report.comparison.num_topics},
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

std::string format_comparison(const ComparisonReport& report,
                              const CompareCommandOptions& options) {
  if (options.format == "json") return format_json(report);
  return options.format == "tsv" ? format_tsv(report) : format_tables(report, options);
}

Status compare(const CompareCommandOptions& options) {
  RR_TRY(ComparisonReport report, compare_files(options));
  const std::string text = format_comparison(report, options);
  if (!options.page.html.empty()) {
    RR_TRY_STATUS(write_comparison_page(std::move(report), options.page));
  }
  return write_to_stdout(text);
}

void add_page_options(CLI::App& command, ComparePageOptions& options) {
  CLI::Option* html = command.add_option("--html", options.html, "Write a page for people, too")
                          ->type_name("FILE")
                          ->check([](const std::string& path) {
                            return path == "-" ? "the page needs a file" : "";
                          });
  command.add_option("--topics", options.topics, "Text of the topics on the page")
      ->type_name("FILE")
      ->needs(html);
  command.add_option("--corpus", options.corpus, "Text of the passages on the page")
      ->type_name("FILE")
      ->needs(html);
  command
      .add_option("--trace", options.traces,
                  "What a run cost, from its trace; RUN is its path or its letter")
      ->type_name("RUN=FILE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->needs(html);
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
  command
      .add_option("--format", options.format,
                  "table, markdown, latex, tsv or json (the last two: all pairs)")
      ->check(CLI::IsMember({"table", "tsv", "json", "markdown", "latex"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  add_page_options(command, options.page);
}

}  // namespace

void add_compare_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("compare", "Test whether runs really differ");
  const auto options = std::make_shared<CompareCommandOptions>();
  add_options(*command, *options);
  command->footer(kExamples);
  command->callback([options, &exit_code] {
    const auto traces = parse_traces(options->page.traces, options->inputs.runs);
    if (!traces.ok()) throw CLI::ValidationError("--trace", traces.error().message);
    const Status status = compare(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
