#include <fmt/core.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "rr/base/atomic_file.h"
#include "rr/base/file.h"
#include "rr/base/json.h"
#include "tests/program.h"
#include "tests/shared_data.h"

// Measuring as a user meets it: one run, many, and suites of data sets.

namespace rr {
namespace {

class Measuring : public Program {};

std::vector<std::string> columns_of(const std::string& line) {
  std::vector<std::string> columns;
  std::istringstream stream(line);
  for (std::string column; std::getline(stream, column, '\t');) columns.push_back(column);
  return columns;
}

std::vector<std::vector<std::string>> rows_of(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) rows.push_back(columns_of(line));
  return rows;
}

// b is second for q1: RR = 0.5; q2 has no ranking; d is first for q3 of the other data set.
constexpr const char* kSuite = R"(
datasets = ["first_set", "other"]
qrels = "{dataset}.qrels"
measures = ["RR"]
[systems]
"a_b & c" = "{dataset}.trec"
best = "{dataset}.best"
part = {run = "other.trec", datasets = ["other"]}
)";

class SuiteEvaluation : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    write("suite.toml", kSuite);
    write("first_set.qrels", "q1 0 b 1\nq2 0 b 1\n");
    write("first_set.trec", "q1 Q0 a 1 2.0 t\nq1 Q0 b 2 1.0 t\n");
    write("first_set.best", "q1 Q0 b 1 2.0 t\nq1 Q0 a 2 1.0 t\n");
    write("other.qrels", "q3 0 d 1\n");
    write("other.trec", "q3 Q0 d 1 2.0 t\n");
    write("other.best", "q3 Q0 d 1 2.0 t\n");
  }
};

TEST_F(SuiteEvaluation, ShowsEachDataSetAndTheMeanOverThem) {
  const Outcome table = run("$R evaluate --suite suite.toml");
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_EQ(table.out,
            "RR\n"
            "system   first_set   other    mean\n"
            "a_b & c     0.5000  1.0000  0.7500\n"
            "best        1.0000  1.0000  1.0000\n"
            "part             –  1.0000       –\n");
  const Outcome all = run("$R evaluate --suite suite.toml -c");
  EXPECT_THAT(all.out, HasSubstr("RR (-c: all topics of the qrels)\n"));
  EXPECT_THAT(all.out, HasSubstr("a_b & c     0.2500  1.0000  0.6250\n"));
}

TEST_F(SuiteEvaluation, SpeaksEveryFormat) {
  EXPECT_EQ(
      run("$R evaluate --suite suite.toml --format latex").out,
      "% RR\n"
      "\\begin{tabular}{lrrr}\n\\toprule\nsystem & first\\_set & other & mean \\\\\n\\midrule\n"
      "a\\_b \\& c & 0.5000 & \\textbf{1.0000} & 0.7500 \\\\\n"
      "best & \\textbf{1.0000} & \\textbf{1.0000} & \\textbf{1.0000} \\\\\n"
      "part & – & \\textbf{1.0000} & – \\\\\n"
      "\\bottomrule\n\\end{tabular}\n");
  EXPECT_THAT(run("$R evaluate --suite suite.toml --format markdown -m RR,P@1").out,
              HasSubstr("P@1\n\n| system | first\\_set | other | mean |\n|---|---:|---:|---:|\n"));
  const Outcome tsv = run("$R evaluate --suite suite.toml --format tsv --per-topic");
  EXPECT_THAT(tsv.out, HasSubstr("a_b & c\tfirst_set\tRR\tq1\t0.500000\n"));
  EXPECT_THAT(tsv.out, HasSubstr("a_b & c\tfirst_set\ttopics\tall\t1\n"));
  EXPECT_THAT(tsv.out, HasSubstr("a_b & c\tmean\tRR\tall\t0.750000\n"));
  EXPECT_THAT(tsv.out, Not(HasSubstr("part\tmean")));
  const Json json = parse_json(run("$R evaluate --suite suite.toml --format json").out, "").value();
  EXPECT_EQ(json["systems"][0]["mean_over_datasets"]["RR"], 0.75);
  EXPECT_TRUE(json["systems"][2]["datasets"]["first_set"].is_null());
}

TEST_F(SuiteEvaluation, SaysWhatIsWrong) {
  std::filesystem::remove(directory_ / "other.best");
  const Outcome outcome = run("$R evaluate --suite suite.toml");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("other.best: no such file"));
  expect_refused("$R evaluate --suite suite.toml qrels.txt run.trec", {"--suite"}, 2);
  expect_refused("$R evaluate qrels.txt", {"RUN"}, 2);
}

TEST_F(Measuring, AllTopicsOfTheQrelsAreNamedInEveryFormat) {
  write("qrels.txt", "q1 0 b 1\nq2 0 b 1\n");
  EXPECT_EQ(run("$R evaluate qrels.txt run.trec -m RR -c").out,
            "run       topics(-c)      RR\nrun.trec           2  0.2500\n");
  EXPECT_EQ(run("$R evaluate qrels.txt run.trec -m RR --format tsv").out,
            "run.trec\ttopics\t1\nrun.trec\tRR\t0.500000\n");
  EXPECT_EQ(run("$R evaluate qrels.txt run.trec -m RR --format tsv --per-topic -c").out,
            "run.trec\ttopics(-c)\tall\t2\nrun.trec\tRR\tq1\t0.500000\nrun.trec\tRR\tq2\t0.000000\n"
            "run.trec\tRR\tall\t0.250000\n");
  const Json json =
      parse_json(run("$R evaluate qrels.txt run.trec -m RR --format json -c").out, "").value();
  EXPECT_EQ(json["missing"], "zero");
}

TEST_F(Measuring, TheQueryItselfIsRemovedWhereAsked) {
  write("run.trec", "q1 Q0 q1 1 2.0 t\nq1 Q0 b 2 1.0 t\n");
  EXPECT_THAT(run("$R evaluate qrels.txt run.trec -m RR --format tsv").out, HasSubstr("0.500000"));
  const Outcome removed = run("$R evaluate qrels.txt run.trec -m RR --format tsv --exclude-own");
  EXPECT_THAT(removed.out, HasSubstr("1.000000"));
  EXPECT_THAT(removed.err, HasSubstr("1 document removed that is the topic itself"));
}

TEST_F(Measuring, WithoutACommonTopicThereIsNoNumber) {
  write("qrels.txt", "q7 0 b 1\n");
  expect_refused("$R evaluate qrels.txt run.trec", {"run.trec", "none of its 1 topic"});
  expect_refused("$R evaluate qrels.txt run.trec -c", {"run.trec", "none of its 1 topic"});
}

TEST_F(Measuring, TunedFusionSaysWhatToExpectAndServesAgain) {
  std::string good;
  std::string bad;
  std::string qrels;
  for (int topic = 0; topic < 10; ++topic) {
    good += fmt::format("{0} Q0 a 1 2 t\n{0} Q0 b 2 1 t\n", topic);
    bad += fmt::format("{0} Q0 b 1 2 t\n{0} Q0 a 2 1 t\n", topic);
    qrels += fmt::format("{} 0 a 1\n", topic);
  }
  write("good.trec", good);
  write("bad.trec", bad);
  write("qrels.txt", qrels);
  const Outcome tuned = run(
      "$R fuse good.trec bad.trec --tune qrels.txt -m RR --method rrf --rrf-k 60 --save fuse.json "
      "-o tuned.trec");
  ASSERT_EQ(tuned.exit_code, 0) << tuned.err;
  EXPECT_THAT(tuned.err, HasSubstr("tuned on 10 topics by RR, 21 settings tried"));
  EXPECT_THAT(tuned.err, HasSubstr("1.0000  held out: 5 folds, seed 0"));
  EXPECT_THAT(tuned.err, HasSubstr("0.5000  bad.trec alone"));
  EXPECT_THAT(tuned.err, HasSubstr("--weights 0.55,0.45"));  // the evenest that is best
  ASSERT_EQ(run("$R fuse good.trec bad.trec --settings fuse.json -o again.trec").exit_code, 0);
  EXPECT_EQ(run("cmp tuned.trec again.trec").exit_code, 0);
  expect_refused("$R fuse good.trec bad.trec --settings fuse.json --weights 1,1 -o out.trec",
                 {"--settings"}, 2);
  expect_refused("$R fuse good.trec bad.trec --tune qrels.txt --folds 11 -o out.trec",
                 {"qrels.txt", "11"});
}

TEST_F(Measuring, ConvertsAndChecksACollection) {
  write("beir/corpus.jsonl", read_file(directory_ / "corpus.jsonl").value());
  write("beir/queries.jsonl", read_file(directory_ / "topics.jsonl").value());
  fs::create_directories(directory_ / "beir/qrels");
  const Outcome qrels = run("$R convert qrels qrels.txt --to beir -o beir/qrels/test.tsv");
  EXPECT_EQ(qrels.exit_code, 0) << qrels.err;
  const Outcome whole = run("$R check-data beir");
  EXPECT_EQ(whole.exit_code, 0) << whole.out;
  EXPECT_THAT(whole.out, HasSubstr("BEIR beir\n"));
  EXPECT_THAT(whole.out, HasSubstr("0 errors, 0 warnings"));
  write("beir/run.bm25.trec", "q1 Q0 zz 1 1.0 t\n");
  const Outcome broken = run("$R check-data beir");
  EXPECT_EQ(broken.exit_code, 1);
  EXPECT_THAT(broken.out, HasSubstr("error: run.bm25.trec: 1 document that the corpus lacks"));
  EXPECT_EQ(run("$R check-data beir --format json | head -c 17").out, "{\"layout\":\"BEIR\",");
  EXPECT_EQ(run("$R convert run run.trec").exit_code, 2);
}

// TFRank's scores as runs: qid, docid, label (0..4), yes-or-no score; "merge" is the mean of both
// as fractions.
void write_tfrank_run(const fs::path& from, const std::string& which, const fs::path& to) {
  LineReader reader = std::move(LineReader::open(from).value());
  std::string run;
  std::string line;
  for (reader.next(line).value(); reader.next(line).value();) {
    const std::vector<std::string> row = columns_of(line);
    const double label = std::stod(row[2]);
    const double yesno = std::stod(row[3]);
    const double score = which == "label"   ? label
                         : which == "yesno" ? yesno
                                            : (label / 4 + yesno) / 2;
    run += fmt::format("{} Q0 {} 1 {} tfrank\n", row[0], row[1], score);
  }
  ASSERT_TRUE(write_file(to, run).ok());
}

TEST_F(Measuring, ASuiteGivesEveryRowOfThePublishedBrightTable) {
  const fs::path folder = fs::absolute(shared_data("bright-eval-parity"));
  RR_NEEDS_FILE(folder);
  std::vector<std::vector<std::string>> rows = rows_of(read_file(folder / "expected.tsv").value());
  rows.erase(rows.begin());
  ASSERT_EQ(rows.size(), 57u);

  // A data set for each file of qrels, a system for each run with its data set's name taken out.
  std::map<std::string, std::map<std::string, std::string>> runs_of_qrels;
  std::set<std::string> systems;
  for (std::size_t i = 0; i + 1 < rows.size(); ++i) {
    std::string path = (folder / rows[i][1]).string();
    if (const std::size_t colon = rows[i][1].find(':'); colon != std::string::npos) {
      path = (directory_ / fmt::format("tfrank{}.trec", i)).string();
      write_tfrank_run(folder / rows[i][1].substr(0, colon), rows[i][1].substr(colon + 1), path);
    }
    std::string system = rows[i][1];
    system.replace(system.find(rows[i][0]), rows[i][0].size(), "SET");
    systems.insert(system);
    runs_of_qrels[rows[i][2]][system] = path;
  }
  std::string suite = "datasets = [";
  for (const auto& [qrels, runs] : runs_of_qrels) suite += fmt::format("\"{}\", ", qrels);
  suite += fmt::format("]\nqrels = \"{}/{{dataset}}\"\n[systems]\n", folder.string());
  for (const std::string& system : systems) {
    suite += fmt::format("\"{}\" = {{run = \"none\", datasets = []}}\n", system);
  }
  for (const auto& [qrels, runs] : runs_of_qrels) {
    suite += fmt::format("[dataset.\"{}\".systems]\n", qrels);
    for (const auto& [system, path] : runs) suite += fmt::format("\"{}\" = \"{}\"\n", system, path);
  }
  write("bright.toml", suite);

  const Outcome outcome = run("$R evaluate --suite bright.toml -m nDCG@10 --format tsv");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  std::map<std::string, std::string> values;  // of system and qrels
  for (const auto& row : rows_of(outcome.out)) {
    if (row[2] != "nDCG@10") continue;
    values[row[0] + " " + row[1]] = fmt::format("{:.4f}", 100 * std::stod(row[3]));
  }
  std::size_t equal = 0;
  for (std::size_t i = 0; i + 1 < rows.size(); ++i) {
    std::string system = rows[i][1];
    system.replace(system.find(rows[i][0]), rows[i][0].size(), "SET");
    EXPECT_EQ(values[system + " " + rows[i][2]], rows[i][4]) << system << " " << rows[i][2];
    equal += values[system + " " + rows[i][2]] == rows[i][4] ? 1 : 0;
  }
  EXPECT_EQ(equal, 56u);

  // The last row is a mean over data sets.
  write("eight.toml",
        fmt::format("datasets = [\"aops\", \"biology\", \"economics\", \"leetcode\", \"robotics\", "
                    "\"stackoverflow\", \"sustainable_living\", \"theoremqa_theorems\"]\n"
                    "qrels = \"{0}/qrels/{{dataset}}.txt\"\n[systems]\n"
                    "ReasonIR = \"{0}/runs/reasonir_gpt4cot_top100/{{dataset}}.txt\"\n",
                    folder.string()));
  const Outcome eight = run("$R evaluate --suite eight.toml -m nDCG@10 --format tsv");
  ASSERT_EQ(rows.back()[4], "28.8762");
  EXPECT_THAT(eight.out, HasSubstr("ReasonIR\tmean\tnDCG@10\t0.288762\n"));
}

}  // namespace
}  // namespace rr
