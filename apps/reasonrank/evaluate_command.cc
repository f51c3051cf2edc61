#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/evaluated_runs.h"
#include "apps/reasonrank/suite_results.h"
#include "rr/base/json.h"
#include "rr/ir/id_spelling.h"
#include "rr/report/table.h"

namespace rr {
namespace {

constexpr const char* kDefaultMeasures = "nDCG@10,RR@10,AP,R@100";

constexpr const char* kExamples =
    R"(Measures have the names of ir_measures: nDCG, nDCG@k, P@k, R@k, AP, AP@k, RR, RR@k, ERR@k,
Rprec, Success@k, Judged@k, Bpref, SetP, SetRelP, SetR, SetF, SetAP; a relevant grade of at least 2
is P(rel=2)@k, nDCG with the gain 2^grade - 1 is nDCG(dcg='exp-log2')@k. RBO(p=0.9)@k says how much
of the first run's order a run keeps: 1 where nothing moved.

Values are trec_eval's: scores compare as 32-bit floats, ties by docid, means are over the topics
that have both qrels and a ranking. -c takes all topics of the qrels; a topic without a ranking
counts as 0, and the number of topics is then named topics(-c).

A suite (docs/formats/suite.md) has several systems on several data sets: their means on each, and
the mean over the data sets.

Examples:
  reasonrank evaluate qrels.txt bm25.trec
  reasonrank evaluate qrels.txt bm25.trec out.trec -m nDCG@10,RBO@10
  reasonrank evaluate beir/nfcorpus/qrels/test.tsv out.trec --per-topic --format tsv
  reasonrank evaluate qrels.txt bm25.trec out.trec --format latex
  reasonrank evaluate --suite bright.toml -m nDCG@10 --format markdown)";

struct EvaluateOptions {
  EvaluationInputs inputs;
  std::string suite;  // a file that says what to evaluate, instead of qrels and runs
  bool measures_are_given = false;
  std::string format = "table";
  bool per_topic = false;
};

Row table_row(Row row, const std::vector<double>& values) {
  for (const double value : values) row.emplace_back(fmt::format("{:.4f}", value));
  return row;
}

Table table_of_means(const std::vector<EvaluatedRun>& runs, Table table) {
  for (const EvaluatedRun& run : runs) {
    const std::string num_topics = std::to_string(run.evaluation.topics.size());
    table.rows.push_back(table_row({run.path, num_topics}, run.evaluation.means));
  }
  for (std::size_t column = 2; column < table.header.size(); ++column) {
    std::vector<double> values;
    for (const EvaluatedRun& run : runs) values.push_back(run.evaluation.means[column - 2]);
    mark_best(table, column, values);
  }
  return table;
}

Table table_of(const std::vector<EvaluatedRun>& runs, const EvaluateOptions& options) {
  Table table;
  table.header = {"run", options.per_topic ? "qid" : topics_column(options.inputs.missing)};
  for (const Measure& measure : options.inputs.measures) {
    table.header.emplace_back(name_of(measure));
  }
  if (!options.per_topic) return table_of_means(runs, std::move(table));
  table.text_columns = 2;
  for (const EvaluatedRun& run : runs) {
    for (const TopicValues& topic : run.evaluation.topics) {
      table.rows.push_back(table_row({run.path, spell_id(topic.qid.str())}, topic.values));
    }
    const bool all_topics = options.inputs.missing == MissingTopics::kZero;
    table.rows.push_back(
        table_row({run.path, all_topics ? "all(-c)" : "all"}, run.evaluation.means));
  }
  return table;
}

// run, measure, [qid,] value. With topics the mean stands under the qid "all", as in trec_eval. The
// first line of a run has the number of topics in its means.
std::string format_tsv(const std::vector<EvaluatedRun>& runs, const EvaluateOptions& options) {
  std::string text;
  for (const EvaluatedRun& run : runs) {
    text += fmt::format("{}\t{}\t{}{}\n", run.path, topics_column(options.inputs.missing),
                        options.per_topic ? "all\t" : "", run.evaluation.topics.size());
    for (std::size_t i = 0; i < options.inputs.measures.size(); ++i) {
      const std::string name = name_of(options.inputs.measures[i]);
      if (options.per_topic) {
        for (const TopicValues& topic : run.evaluation.topics) {
          text += fmt::format("{}\t{}\t{}\t{:.6f}\n", run.path, name, spell_id(topic.qid.str()),
                              topic.values[i]);
        }
      }
      text += fmt::format("{}\t{}\t{}{:.6f}\n", run.path, name, options.per_topic ? "all\t" : "",
                          run.evaluation.means[i]);
    }
  }
  return text;
}

std::string format_json(const std::vector<EvaluatedRun>& runs, const EvaluateOptions& options) {
  Json list = Json::array();
  for (const EvaluatedRun& run : runs) {
    const Evaluation& evaluation = run.evaluation;
    Json entry = {{"run", run.path},
                  {"tag", run.tag},
                  {"topics", evaluation.topics.size()},
                  {"only_in_run", evaluation.only_in_run},
                  {"only_in_qrels", evaluation.only_in_qrels},
                  {"means", values_as_json(evaluation.means, options.inputs.measures)}};
    if (options.per_topic) {
      entry["per_topic"] = topics_as_json(evaluation, options.inputs.measures);
    }
    list.push_back(std::move(entry));
  }
  return to_json_line({{"qrels", options.inputs.qrels},
                       {"missing", name_of_missing(options.inputs.missing)},
                       {"runs", std::move(list)}}) +
         "\n";
}

std::string format_results(const std::vector<EvaluatedRun>& runs, const EvaluateOptions& options) {
  if (options.format == "json") return format_json(runs, options);
  if (options.format == "tsv") return format_tsv(runs, options);
  const Table table = table_of(runs, options);
  if (options.format == "markdown") return as_markdown(table);
  if (options.format == "latex") return as_latex(table);
  return as_text(table, false);
}

Status evaluate(const EvaluateOptions& options) {
  if (!options.suite.empty()) {
    RR_TRY(const SuiteResults results,
           evaluate_suite(options.suite, options.inputs, options.measures_are_given));
    return write_to_stdout(format_suite(results, options.format, options.per_topic));
  }
  RR_TRY(const std::vector<EvaluatedRun> runs, evaluate_runs(options.inputs));
  return write_to_stdout(format_results(runs, options));
}

void add_options(CLI::App& command, EvaluateOptions& options) {
  command
      .add_option("qrels", options.inputs.qrels, "Relevance judgements: TREC qrels or a BEIR .tsv")
      ->type_name("QRELS");
  command.add_option("runs", options.inputs.runs, "TREC runs")->type_name("RUN...");
  command
      .add_option("--suite", options.suite,
                  "Instead of qrels and runs: a TOML file that names data sets and systems")
      ->type_name("FILE");
  add_evaluation_options(command, options.inputs, kDefaultMeasures);
  command.add_flag("--per-topic", options.per_topic, "Also the values of each topic");
  command
      .add_option("--format", options.format,
                  "table, tsv (run, measure, [qid,] value), json, markdown or latex")
      ->check(CLI::IsMember({"table", "tsv", "json", "markdown", "latex"}))
      ->type_name("FORMAT")
      ->capture_default_str();
}

void check_inputs(const EvaluateOptions& options) {
  const bool has_files = !options.inputs.qrels.empty();
  if (has_files && !options.suite.empty()) {
    throw CLI::ValidationError("--suite",
                               "names its qrels and runs itself; leave QRELS and RUN out");
  }
  if (options.suite.empty() && options.inputs.runs.empty()) {
    throw CLI::ValidationError("evaluate", "expected QRELS and at least one RUN, or --suite FILE");
  }
}

}  // namespace

void add_evaluate_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("evaluate", "Measure runs against qrels");
  const auto options = std::make_shared<EvaluateOptions>();
  add_options(*command, *options);
  command->footer(kExamples);
  command->callback([options, command, &exit_code] {
    check_inputs(*options);
    options->measures_are_given = command->count("--measures") > 0;
    const Status status = evaluate(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
