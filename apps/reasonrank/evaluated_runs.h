#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "apps/reasonrank/choice_option.h"
#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/terminal.h"
#include "rr/base/json.h"
#include "rr/base/wording.h"
#include "rr/ir/own_documents.h"
#include "rr/ir/qrels_file.h"
#include "rr/ir/run_file.h"
#include "rr/measures/evaluate.h"
#include "rr/measures/expected_reciprocal_rank.h"

// What `evaluate` and `compare` share: qrels and runs are read, measured, and what does not fit is
// said on standard error.

namespace rr {

struct EvaluationInputs {
  std::string qrels;
  std::vector<std::string> runs;
  std::vector<Measure> measures;
  MissingTopics missing = MissingTopics::kAbsent;
  BlankDocids blank_docids = BlankDocids::kKeep;
  bool exclude_own = false;  // the document that is the topic itself leaves each ranking
};

struct EvaluatedRun {
  std::string path;
  std::string tag;
  Evaluation evaluation;
};

// Says aloud which topics are not in the means.
inline void report_topics(const EvaluatedRun& run, const EvaluationInputs& inputs) {
  const Evaluation& evaluation = run.evaluation;
  if (evaluation.only_in_run > 0) {
    fmt::print(stderr, "reasonrank: {}: {} of the run {} no qrels and {} left out\n", run.path,
               counted(evaluation.only_in_run, "topic"),
               evaluation.only_in_run == 1 ? "has" : "have",
               evaluation.only_in_run == 1 ? "is" : "are");
  }
  if (evaluation.only_in_qrels == 0) return;
  const bool is_one = evaluation.only_in_qrels == 1;
  const char* consequence = is_one ? "is left out of the means (-c counts it as 0)"
                                   : "are left out of the means (-c counts them as 0)";
  if (inputs.missing == MissingTopics::kZero) consequence = is_one ? "counts as 0" : "count as 0";
  fmt::print(stderr, "reasonrank: {}: {} of the qrels {} no ranking and {}\n", run.path,
             counted(evaluation.only_in_qrels, "topic"), is_one ? "has" : "have", consequence);
}

inline Result<Run> read_reported_run(const std::string& path, const EvaluationInputs& inputs) {
  RR_TRY(ReadRun read, read_run(path, inputs.blank_docids));
  if (read.dropped_lines > 0) {
    fmt::print(stderr, "reasonrank: {}: {} of {} lines dropped, which have not exactly 6 columns\n",
               path, read.dropped_lines, read.num_lines);
  }
  if (inputs.exclude_own) {
    const std::size_t removed = exclude_own_documents(read.run);
    fmt::print(stderr, "reasonrank: {}: {} removed that {} the topic itself\n", path,
               counted(removed, "document"), removed == 1 ? "is" : "are");
  }
  return std::move(read.run);
}

// Grades that a measure does not know would make its numbers quietly wrong.
inline Status check_grades(const Qrels& qrels, const EvaluationInputs& inputs) {
  const bool has_err = std::any_of(
      inputs.measures.begin(), inputs.measures.end(),
      [](const Measure& m) { return m.kind == Measure::Kind::kExpectedReciprocalRank; });
  if (!has_err) return ok_status();
  for (const auto& [qid, judgements] : qrels) {
    for (const auto& [docid, grade] : judgements) {
      if (grade <= kHighestErrGrade) continue;
      return Error{Errc::kMalformed,
                   fmt::format("expected grades up to {} for ERR, found {} for document \"{}\" of "
                               "topic {}; leave ERR out or map the grades",
                               kHighestErrGrade, grade, docid.str(), qid.str()),
                   inputs.qrels};
    }
  }
  return ok_status();
}

// Whoever wants more of a run than its measures sees it while it is in memory.
using LookAtRun = std::function<void(const Run& run, const Qrels& qrels)>;

// Each run in turn, so that only two are in memory: RBO compares with the first.
inline Result<std::vector<EvaluatedRun>> evaluate_runs(const EvaluationInputs& inputs,
                                                       const LookAtRun& look = {}) {
  RR_TRY(const Qrels qrels, read_qrels(inputs.qrels));
  RR_TRY_STATUS(check_grades(qrels, inputs));
  RR_TRY(const Run first, read_reported_run(inputs.runs.front(), inputs));
  std::vector<EvaluatedRun> evaluated;
  for (const std::string& path : inputs.runs) {
    Run later;
    if (!evaluated.empty()) {
      RR_TRY(later, read_reported_run(path, inputs));
    }
    const Run& run = evaluated.empty() ? first : later;
    evaluated.push_back(
        {path, run.tag, evaluate_run(run, qrels, inputs.measures, inputs.missing, &first)});
    if (evaluated.back().evaluation.only_in_qrels == qrels.size()) {
      return Error{Errc::kMalformed,
                   fmt::format("none of its {} is among the {} of {}; do the two belong together?",
                               counted(run.rankings.size(), "topic"),
                               counted(qrels.size(), "topic"), inputs.qrels),
                   path};
    }
    report_topics(evaluated.back(), inputs);
    if (look) look(run, qrels);
  }
  return evaluated;
}

// The name of the number of topics that a mean is over, which tells whether -c was in force.
inline const char* topics_column(MissingTopics missing) {
  return missing == MissingTopics::kZero ? "topics(-c)" : "topics";
}

inline const char* name_of_missing(MissingTopics missing) {
  return missing == MissingTopics::kZero ? "zero" : "absent";
}

inline Json values_as_json(const std::vector<double>& values,
                           const std::vector<Measure>& measures) {
  Json object = Json::object();
  for (std::size_t i = 0; i < values.size(); ++i) object[name_of(measures[i])] = values[i];
  return object;
}

inline Json topics_as_json(const Evaluation& evaluation, const std::vector<Measure>& measures) {
  Json topics = Json::object();
  for (const TopicValues& topic : evaluation.topics) {
    topics[topic.qid.str()] = values_as_json(topic.values, measures);
  }
  return topics;
}

inline void set_measures(const std::vector<std::string>& names, EvaluationInputs& inputs) {
  inputs.measures.clear();
  for (const std::string& list : names) {
    const auto measures = parse_measures(list);
    if (!measures.ok()) throw CLI::ValidationError("--measures", measures.error().message);
    inputs.measures.insert(inputs.measures.end(), measures->begin(), measures->end());
  }
}

// -m, --missing and --blank-docids.
inline void add_evaluation_options(CLI::App& command, EvaluationInputs& inputs,
                                   const char* default_measures) {
  set_measures({default_measures}, inputs);
  command
      .add_option_function<std::vector<std::string>>(
          "-m,--measures",
          [&inputs](const std::vector<std::string>& names) { set_measures(names, inputs); },
          "Measures, with commas between them")
      ->type_name("NAMES")
      ->default_str(default_measures)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_choice<MissingTopics>(
      command, "--missing", inputs.missing,
      {{"absent", MissingTopics::kAbsent}, {"zero", MissingTopics::kZero}},
      "Topics of the qrels without a ranking: absent from the means, or zero");
  command.add_flag_callback(
      "-c,--all-topics", [&inputs] { inputs.missing = MissingTopics::kZero; },
      "Means over all topics of the qrels, as --missing zero: trec_eval -c");
  command.add_flag("--exclude-own", inputs.exclude_own,
                   "Leave out the document whose docid is the topic's qid (ArguAna)");
  add_choice<BlankDocids>(
      command, "--blank-docids", inputs.blank_docids,
      {{"keep", BlankDocids::kKeep}, {"drop", BlankDocids::kDrop}},
      "Docids with blanks in a run: keep, or drop their lines as the published system does");
}

}  // namespace rr
