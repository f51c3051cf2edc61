#include <fmt/core.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "rr/ir/qrels_file.h"
#include "rr/ir/run_file.h"
#include "rr/measures/evaluate.h"
#include "tests/shared_data.h"
#include "tests/test_folder.h"

// Every value of a measure that we have, in the expected outputs of trec_eval's own test suite, to
// the last printed digit: per topic and as means.

namespace rr {
namespace {

struct TrecEvalCase {
  const char* qrels;
  const char* run;
  const char* expected;
  std::size_t num_values;                          // lines of `expected` that are compared
  MissingTopics missing = MissingTopics::kAbsent;  // zero: -c
  std::size_t max_documents = kWholeRanking;       // -M
  int relevant_from = 1;                           // -l
};

// trec_eval's name, such as "ndcg_cut_10"; nullopt for a measure that we do not have.
std::optional<Measure> measure_named(const std::string& name, int relevant_from) {
  static const std::map<std::string, std::string> kWhole = {
      {"map", "AP"},          {"ndcg", "nDCG"},
      {"recip_rank", "RR"},   {"Rprec", "Rprec"},
      {"bpref", "Bpref"},     {"set_P", "SetP"},
      {"set_recall", "SetR"}, {"set_F", "SetF"},
      {"set_map", "SetAP"},   {"set_relative_P", "SetRelP"}};
  static const std::map<std::string, std::string> kCut = {
      {"P", "P"}, {"recall", "R"}, {"ndcg_cut", "nDCG"}, {"map_cut", "AP"}, {"success", "Success"}};
  std::optional<Measure> measure;
  const std::size_t underscore = name.rfind('_');
  if (const auto whole = kWhole.find(name); whole != kWhole.end()) {
    measure = parse_measure(whole->second).value();
  } else if (underscore != std::string::npos && kCut.contains(name.substr(0, underscore))) {
    measure = parse_measure(kCut.at(name.substr(0, underscore)) + "@" + name.substr(underscore + 1))
                  .value();
  }
  if (measure && measure->kind != Measure::Kind::kNdcg) measure->relevant_from = relevant_from;
  return measure;
}

// One line of results.trunc has more text after its six columns. trec_eval leaves that out; our
// reader would take it for a docid with blanks and refuses the line, so it is cut here.
std::string first_six_columns(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string text;
  for (std::string line; std::getline(file, line);) {
    std::istringstream columns(line);
    std::string column;
    for (int i = 0; i < 6 && columns >> column; ++i) text += column + "\t";
    text += '\n';
  }
  return text;
}

Run read_cut_run(const std::filesystem::path& path, std::size_t max_documents) {
  const TestFolder folder;
  Run run = std::move(read_run(folder.write("run", first_six_columns(path))).value().run);
  for (Ranking& ranking : run.rankings) {
    sort_as_trec_eval(ranking);
    if (ranking.docs.size() > max_documents) ranking.docs.resize(max_documents);
  }
  return run;
}

class TrecEvalParity : public ::testing::TestWithParam<TrecEvalCase> {};

TEST_P(TrecEvalParity, EveryPrintedDigitIsTheSame) {
  const auto folder = shared_data("trec-eval-vectors/test");
  RR_NEEDS_FILE(folder);
  const auto qrels = read_qrels(folder / GetParam().qrels);
  ASSERT_TRUE(qrels.ok()) << qrels.error().to_string();
  const auto run = read_cut_run(folder / GetParam().run, GetParam().max_documents);

  std::ifstream expected(folder / GetParam().expected);
  std::size_t num_values = 0;
  for (std::string line; std::getline(expected, line);) {
    std::istringstream columns(line);
    std::string name, qid, value;
    columns >> name >> qid >> value;
    const auto measure = measure_named(name, GetParam().relevant_from);
    if (!measure) continue;
    const Evaluation evaluation =
        evaluate_run(run, qrels.value(), std::array{*measure}, GetParam().missing);
    double ours = evaluation.means[0];
    for (const TopicValues& topic : evaluation.topics) {
      if (topic.qid.str() == qid) ours = topic.values[0];
    }
    EXPECT_EQ(fmt::format("{:.4f}", ours), value) << line;
    ++num_values;
  }
  EXPECT_EQ(num_values, GetParam().num_values);
}

constexpr auto kZero = MissingTopics::kZero;
constexpr auto kAbsent = MissingTopics::kAbsent;

INSTANTIATE_TEST_SUITE_P(
    Quicktest, TrecEvalParity,
    ::testing::Values(TrecEvalCase{"qrels.test", "results.test", "out.test", 13},
                      TrecEvalCase{"qrels.test.with-comments", "results.test", "out.test", 13},
                      TrecEvalCase{"qrels.test", "results.test", "out.test.a", 49},
                      TrecEvalCase{"qrels.test", "results.test", "out.test.aq", 196},
                      TrecEvalCase{"qrels.test", "results.trunc", "out.test.aqc", 196, kZero},
                      TrecEvalCase{"qrels.test", "results.trunc", "out.test.aqcM", 196, kZero, 100},
                      TrecEvalCase{"qrels.rel_level", "results.test", "out.test.aql", 196, kAbsent,
                                   kWholeRanking, 2},
                      TrecEvalCase{"qrels.test", "results.test", "out.test.meas_params", 44}),
    [](const auto& instance) {
      std::string name = std::string(instance.param.qrels) + "_" + instance.param.expected;
      for (char& c : name) {
        if (c == '.' || c == '-') c = '_';
      }
      return name;
    });

}  // namespace
}  // namespace rr
