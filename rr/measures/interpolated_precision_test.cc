#include "rr/measures/interpolated_precision.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "rr/ir/qrels_file.h"
#include "rr/ir/ranking.h"
#include "rr/ir/run_file.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

using ::testing::DoubleEq;
using ::testing::Each;
using ::testing::ElementsAre;

TEST(InterpolatedPrecision, IsTheBestPrecisionFromThereOn) {
  // Relevant at ranks 2 and 3, R = 4: P is 1/2 with one found, 2/3 with two, which is better.
  // enough = floor(0.4 i + 0.5): 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4; three are never found.
  const JudgedRanking ranking{{0, 1, 2, kUnjudged}, {2, 1, 1, 1, 0}};
  const double high = 2.0 / 3.0;
  EXPECT_THAT(interpolated_precision(ranking),
              ElementsAre(high, high, high, high, high, high, high, 0, 0, 0, 0));
  // Only the grade 2 at rank 3 counts: R = 1, enough = 1 from recall 0.5 on.
  EXPECT_THAT(interpolated_precision(ranking, 2), Each(DoubleEq(1.0 / 3.0)));
}

TEST(InterpolatedPrecision, IsZeroWhereNothingIsRelevantOrFound) {
  EXPECT_THAT(interpolated_precision({{}, {1}}), Each(0));
  EXPECT_THAT(interpolated_precision({{0, kUnjudged}, {0}}), Each(0));
}

using Levels = std::array<double, kRecallLevels>;

// Of each topic, and their mean as "all".
std::map<std::string, Levels> values_of(const Qrels& qrels, rr::Run run, int relevant_from) {
  std::map<std::string, Levels> values;
  Levels means{};
  for (Ranking& ranking : run.rankings) {
    if (!qrels.contains(ranking.qid)) continue;
    sort_as_trec_eval(ranking);
    std::vector<Docid> docids;
    for (const ScoredDocid& doc : ranking.docs) docids.push_back(doc.docid);
    values[ranking.qid.str()] =
        interpolated_precision(judge(docids, qrels.at(ranking.qid)), relevant_from);
    for (std::size_t i = 0; i < kRecallLevels; ++i) means[i] += values[ranking.qid.str()][i];
  }
  for (double& mean : means) mean /= static_cast<double>(values.size());
  values["all"] = means;
  return values;
}

void expect_as_trec_eval(const char* qrels_file, const char* expected_file, int relevant_from) {
  const auto folder = shared_data("trec-eval-vectors/test");
  const auto values = values_of(read_qrels(folder / qrels_file).value(),
                                read_run(folder / "results.test").value().run, relevant_from);
  std::ifstream expected(folder / expected_file);
  std::size_t compared = 0;
  for (std::string line; std::getline(expected, line);) {
    std::istringstream columns(line);
    std::string name, qid, value;
    columns >> name >> qid >> value;
    constexpr std::string_view kName = "iprec_at_recall_";
    if (!name.starts_with(kName)) continue;
    const double recall = std::stod(name.substr(kName.size()));
    const auto level = static_cast<std::size_t>(recall * 10 + 0.5);
    EXPECT_EQ(fmt::format("{:.4f}", values.at(qid)[level]), value) << line;
    ++compared;
  }
  EXPECT_EQ(compared, values.size() * kRecallLevels);
}

TEST(InterpolatedPrecision, HasEveryPrintedDigitOfTrecEval) {
  RR_NEEDS_FILE(shared_data("trec-eval-vectors/test"));
  expect_as_trec_eval("qrels.test", "out.test.aq", 1);
  expect_as_trec_eval("qrels.rel_level", "out.test.aql", 2);
}

}  // namespace
}  // namespace rr
