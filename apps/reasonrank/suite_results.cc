#include "apps/reasonrank/suite_results.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "rr/base/json.h"
#include "rr/ir/id_spelling.h"
#include "rr/report/table.h"

namespace rr {
namespace {

constexpr const char* kAbsentCell = "–";

using Means = std::vector<std::optional<double>>;  // one for each data set

Means means_of(const SuiteResults& results, std::size_t system, std::size_t measure) {
  Means means;
  for (const std::optional<Evaluation>& evaluation : results.evaluations[system]) {
    means.push_back(evaluation ? std::optional(evaluation->means[measure]) : std::nullopt);
  }
  return means;
}

// Calls visit(system, data set, evaluation) for each that there is.
template <typename Visit>
void for_each_evaluation(const SuiteResults& results, const Visit& visit) {
  for (std::size_t system = 0; system < results.suite.systems.size(); ++system) {
    for (std::size_t i = 0; i < results.suite.datasets.size(); ++i) {
      const std::optional<Evaluation>& evaluation = results.evaluations[system][i];
      if (evaluation) {
        visit(results.suite.systems[system].name, results.suite.datasets[i].name, *evaluation);
      }
    }
  }
}

void mark_best_of_present(Table& table, std::size_t column, const Means& values) {
  std::vector<double> present;
  for (const std::optional<double>& value : values) {
    present.push_back(value.value_or(-std::numeric_limits<double>::infinity()));
  }
  const auto count = std::count_if(values.begin(), values.end(),
                                   [](const std::optional<double>& v) { return v.has_value(); });
  if (count >= 2) mark_best(table, column, present);
}

// One measure: a row for each system, a column for each data set, the mean over them last.
Table table_of_measure(const SuiteResults& results, std::size_t measure) {
  Table table;
  table.header = {"system"};
  for (const SuiteDataset& dataset : results.suite.datasets)
    table.header.emplace_back(dataset.name);
  table.header.emplace_back("mean");
  std::vector<Means> columns(table.header.size() - 1);
  for (std::size_t system = 0; system < results.suite.systems.size(); ++system) {
    Means values = means_of(results, system, measure);
    values.push_back(mean_over_datasets(values));
    Row row = {results.suite.systems[system].name};
    for (std::size_t i = 0; i < values.size(); ++i) {
      row.emplace_back(values[i] ? fmt::format("{:.4f}", *values[i]) : kAbsentCell);
      columns[i].push_back(values[i]);
    }
    table.rows.push_back(std::move(row));
  }
  for (std::size_t i = 0; i < columns.size(); ++i) mark_best_of_present(table, i + 1, columns[i]);
  return table;
}

Table table_of_topics(const SuiteResults& results) {
  Table table;
  table.header = {"system", "dataset", "qid"};
  table.text_columns = 3;
  for (const Measure& measure : results.measures) table.header.emplace_back(name_of(measure));
  const auto add = [&table](Row row, const std::vector<double>& values) {
    for (const double value : values) row.emplace_back(fmt::format("{:.4f}", value));
    table.rows.push_back(std::move(row));
  };
  for_each_evaluation(results, [&](const std::string& system, const std::string& dataset,
                                   const Evaluation& evaluation) {
    for (const TopicValues& topic : evaluation.topics) {
      add({system, dataset, spell_id(topic.qid.str())}, topic.values);
    }
    add({system, dataset, "all"}, evaluation.means);
  });
  return table;
}

std::string format_table(const Table& table, const std::string& format) {
  if (format == "markdown") return as_markdown(table);
  if (format == "latex") return as_latex(table);
  return as_text(table, false);
}

// Which measure a table is about, and over what its means are.
std::string title_of(const SuiteResults& results, const Measure& measure,
                     const std::string& format) {
  std::string title = name_of(measure);
  if (results.missing == MissingTopics::kZero) title += " (-c: all topics of the qrels)";
  if (format == "latex") return "% " + title + "\n";
  return title + (format == "markdown" ? "\n\n" : "\n");
}

std::string format_tables(const SuiteResults& results, const std::string& format) {
  std::string text;
  for (std::size_t i = 0; i < results.measures.size(); ++i) {
    if (i > 0) text += "\n";
    text += title_of(results, results.measures[i], format) +
            format_table(table_of_measure(results, i), format);
  }
  return text;
}

// system, dataset, measure, [qid,] value; the mean over data sets under the name "mean".
std::string format_tsv(const SuiteResults& results, bool per_topic) {
  std::string text;
  const auto add = [&](const std::string& system, const std::string& dataset,
                       const std::string& measure, const std::string& qid, double value) {
    text += fmt::format("{}\t{}\t{}\t{}{:.6f}\n", system, dataset, measure,
                        per_topic ? qid + "\t" : "", value);
  };
  for_each_evaluation(results, [&](const std::string& system, const std::string& dataset,
                                   const Evaluation& evaluation) {
    text += fmt::format("{}\t{}\t{}\t{}{}\n", system, dataset, topics_column(results.missing),
                        per_topic ? "all\t" : "", evaluation.topics.size());
    for (std::size_t i = 0; i < results.measures.size(); ++i) {
      const std::string name = name_of(results.measures[i]);
      for (const TopicValues& topic : evaluation.topics) {
        if (per_topic) add(system, dataset, name, spell_id(topic.qid.str()), topic.values[i]);
      }
      add(system, dataset, name, "all", evaluation.means[i]);
    }
  });
  for (std::size_t system = 0; system < results.suite.systems.size(); ++system) {
    for (std::size_t i = 0; i < results.measures.size(); ++i) {
      const auto mean = mean_over_datasets(means_of(results, system, i));
      if (!mean) continue;
      add(results.suite.systems[system].name, "mean", name_of(results.measures[i]), "all", *mean);
    }
  }
  return text;
}

Json json_of(const Evaluation& evaluation, const std::vector<Measure>& measures, bool per_topic) {
  Json json = {{"topics", evaluation.topics.size()},
               {"only_in_run", evaluation.only_in_run},
               {"only_in_qrels", evaluation.only_in_qrels},
               {"means", values_as_json(evaluation.means, measures)}};
  if (per_topic) json["per_topic"] = topics_as_json(evaluation, measures);
  return json;
}

std::string format_json(const SuiteResults& results, bool per_topic) {
  Json systems = Json::array();
  for (std::size_t system = 0; system < results.suite.systems.size(); ++system) {
    Json datasets = Json::object();
    for (std::size_t i = 0; i < results.suite.datasets.size(); ++i) {
      const std::optional<Evaluation>& evaluation = results.evaluations[system][i];
      datasets[results.suite.datasets[i].name] =
          evaluation ? json_of(*evaluation, results.measures, per_topic) : Json();
    }
    Json means = Json::object();
    for (std::size_t i = 0; i < results.measures.size(); ++i) {
      const auto mean = mean_over_datasets(means_of(results, system, i));
      means[name_of(results.measures[i])] = mean ? Json(*mean) : Json();
    }
    systems.push_back({{"system", results.suite.systems[system].name},
                       {"mean_over_datasets", std::move(means)},
                       {"datasets", std::move(datasets)}});
  }
  return to_json_line(
             {{"missing", name_of_missing(results.missing)}, {"systems", std::move(systems)}}) +
         "\n";
}

}  // namespace

Result<SuiteResults> evaluate_suite(const std::string& path, const EvaluationInputs& inputs,
                                    bool measures_are_given) {
  SuiteResults results;
  RR_TRY(results.suite, read_suite(path));
  const Suite& suite = results.suite;
  const bool own_measures = !measures_are_given && !suite.measures.empty();
  results.measures = own_measures ? suite.measures : inputs.measures;
  results.missing = suite.all_topics ? MissingTopics::kZero : inputs.missing;
  results.evaluations.assign(suite.systems.size(),
                             std::vector<std::optional<Evaluation>>(suite.datasets.size()));
  for (std::size_t i = 0; i < suite.datasets.size(); ++i) {
    EvaluationInputs of_dataset = inputs;
    of_dataset.qrels = suite.datasets[i].qrels.string();
    of_dataset.measures = results.measures;
    of_dataset.missing = results.missing;
    of_dataset.exclude_own = inputs.exclude_own || suite.datasets[i].exclude_own;
    std::vector<std::size_t> systems;
    for (std::size_t system = 0; system < suite.systems.size(); ++system) {
      const auto& run = suite.systems[system].runs[i];
      if (!run) continue;
      systems.push_back(system);
      of_dataset.runs.push_back(run->string());
    }
    if (systems.empty()) continue;
    RR_TRY(std::vector<EvaluatedRun> runs, evaluate_runs(of_dataset));
    for (std::size_t j = 0; j < runs.size(); ++j) {
      results.evaluations[systems[j]][i] = std::move(runs[j].evaluation);
    }
  }
  return results;
}

std::string format_suite(const SuiteResults& results, const std::string& format, bool per_topic) {
  if (format == "json") return format_json(results, per_topic);
  if (format == "tsv") return format_tsv(results, per_topic);
  if (per_topic) return format_table(table_of_topics(results), format);
  return format_tables(results, format);
}

}  // namespace rr
