#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/ir/qrels_file.h"
#include "rr/ir/run_file.h"
#include "rr/measures/evaluate.h"
#include "tests/shared_data.h"

// nDCG@10 of published runs, in percent, to the last digit that is written down: four decimals
// recomputed with another tool, and the one or two decimals of the papers.

namespace rr {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> split(const std::string& line, char at) {
  std::vector<std::string> columns;
  std::istringstream stream(line);
  for (std::string column; std::getline(stream, column, at);) columns.push_back(column);
  return columns;
}

std::vector<std::vector<std::string>> read_rows(const fs::path& path) {
  LineReader reader = std::move(LineReader::open(path).value());
  std::vector<std::vector<std::string>> rows;
  std::string line;
  for (reader.next(line).value(); reader.next(line).value();) rows.push_back(split(line, '\t'));
  return rows;
}

// TFRank's scores: qid, docid, label (0..4), yes-or-no score. "merge" is the mean of both as
// fractions.
Run run_of_scores(const fs::path& path, const std::string& which) {
  std::map<std::string, Ranking> rankings;
  for (const std::vector<std::string>& row : read_rows(path)) {
    const double label = std::stod(row[2]);
    const double yesno = std::stod(row[3]);
    const double score = which == "label"   ? label
                         : which == "yesno" ? yesno
                                            : (label / 4 + yesno) / 2;
    Ranking& ranking = rankings[row[0]];
    ranking.qid = Qid(row[0]);
    ranking.docs.push_back({Docid(row[1]), score});
  }
  Run run;
  for (auto& [qid, ranking] : rankings) run.rankings.push_back(std::move(ranking));
  return run;
}

Run run_named(const fs::path& folder, const std::string& name, BlankDocids blank_docids) {
  const std::size_t colon = name.find(':');
  if (colon != std::string::npos) {
    return run_of_scores(folder / name.substr(0, colon), name.substr(colon + 1));
  }
  return std::move(read_run(folder / name, blank_docids).value().run);
}

double ndcg_10_in_percent(const Run& run, const fs::path& qrels) {
  const std::array measures = {Measure{.kind = Measure::Kind::kNdcg, .cutoff = 10}};
  return 100 * evaluate_run(run, read_qrels(qrels).value(), measures).means[0];
}

// The published programs round the fraction to five decimals before they print percent, so a value
// is rounded twice: 31.68496 became 31.6850 and then 31.69.
void expect_published(double value, const std::string& published, const std::string& what) {
  if (published.empty() || published[0] < '0' || published[0] > '9') return;
  const std::size_t decimals = published.size() - published.find('.') - 1;
  constexpr double kHalfUp = 1e-9;
  const double rounded_once = std::stod(fmt::format("{:.3f}", value)) + kHalfUp;
  EXPECT_EQ(fmt::format("{:.{}f}", rounded_once, decimals), published) << what;
}

TEST(PublishedValues, EveryRowOfTheBrightTableComesOut) {
  const fs::path folder = shared_data("bright-eval-parity");
  RR_NEEDS_FILE(folder);
  std::size_t num_rows = 0;
  double sum_of_eight = 0;
  for (const std::vector<std::string>& row : read_rows(folder / "expected.tsv")) {
    const std::string &run = row[1], &qrels = row[2], &computed = row[4], &published = row[5];
    ++num_rows;
    if (row[0] == "AVG8_dev") {
      EXPECT_EQ(fmt::format("{:.4f}", sum_of_eight / 8), computed);
      continue;
    }
    const double value =
        ndcg_10_in_percent(run_named(folder, run, BlankDocids::kKeep), folder / qrels);
    EXPECT_EQ(fmt::format("{:.4f}", value), computed) << run << " " << qrels;
    expect_published(value, published, run);
    const bool is_of_the_eight = run.find("reasonir_gpt4cot_top100") != std::string::npos;
    if (is_of_the_eight && qrels.starts_with("qrels/")) sum_of_eight += value;
  }
  EXPECT_EQ(num_rows, 57u);
}

TEST(PublishedValues, DroppingDocidsWithBlanksDoesNotMoveStackoverflow) {
  const fs::path folder = shared_data("bright-eval-parity");
  RR_NEEDS_FILE(folder);
  const auto run =
      run_named(folder, "runs/reasonir_gpt4cot_top100/stackoverflow.txt", BlankDocids::kDrop);
  EXPECT_EQ(fmt::format("{:.2f}", ndcg_10_in_percent(run, folder / "qrels/stackoverflow.txt")),
            "30.96");
}

TEST(PublishedValues, ScoresComparedAsDoublesWouldMissThem) {
  const fs::path folder = shared_data("bright-eval-parity");
  RR_NEEDS_FILE(folder);
  auto run = run_of_scores(folder / "tfrank_scores/BRIGHT_reasonir_gpt4/economics.tsv.gz", "yesno");
  EXPECT_EQ(fmt::format("{:.2f}", ndcg_10_in_percent(run, folder / "qrels/economics.txt")),
            "28.78");
  for (Ranking& ranking : run.rankings) {
    std::sort(ranking.docs.begin(), ranking.docs.end(),
              [](const ScoredDocid& a, const ScoredDocid& b) {
                return a.score != b.score ? a.score > b.score : a.docid > b.docid;
              });
    double score = 0;
    for (ScoredDocid& doc : ranking.docs) doc.score = --score;
  }
  EXPECT_EQ(fmt::format("{:.2f}", ndcg_10_in_percent(run, folder / "qrels/economics.txt")),
            "29.22");
}

// A recorded reranking: {"qid", ..., "final": [docids]} a line.
Run run_of_replay(const fs::path& path) {
  LineReader reader = std::move(LineReader::open(path).value());
  Run run;
  for (std::string line; reader.next(line).value();) {
    const Json record = parse_json(line, "replay").value();
    Ranking ranking{Qid(record["qid"].get<std::string>()), {}};
    double score = 0;
    for (const Json& docid : record["final"]) {
      ranking.docs.push_back({Docid(docid.get<std::string>()), --score});
    }
    run.rankings.push_back(std::move(ranking));
  }
  return run;
}

TEST(PublishedValues, EveryRowOfTheDeepLearningTableComesOut) {
  const fs::path folder = shared_data("trec-dl19-rerank");
  RR_NEEDS_FILE(folder);
  std::size_t num_rows = 0;
  for (const std::vector<std::string>& row : read_rows(folder / "expected.tsv")) {
    const auto run = row[0].ends_with(".jsonl") ? run_of_replay(folder / row[0])
                                                : run_named(folder, row[0], BlankDocids::kKeep);
    const double value = ndcg_10_in_percent(run, folder / "qrels.dl19-passage.txt");
    EXPECT_EQ(fmt::format("{:.4f}", value), row[1]) << row[0];
    EXPECT_EQ(std::to_string(run.rankings.size()), row[2]) << row[0];
    expect_published(value, row.size() > 3 ? row[3] : "", row[0]);
    ++num_rows;
  }
  EXPECT_EQ(num_rows, 14u);
}

}  // namespace
}  // namespace rr
