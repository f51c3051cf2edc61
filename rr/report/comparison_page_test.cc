#include "rr/report/comparison_page.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <span>
#include <string>
#include <vector>

#include "rr/measures/evaluate.h"
#include "rr/report/comparison_tables.h"
#include "rr/report/internal/rank_bands.h"
#include "rr/report/internal/topic_changes.h"

namespace rr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr const char* kHostile = "</script><img src=x onerror=alert(1)>";

Ranking ranking_of(const std::string& qid, const std::vector<std::string>& docids) {
  Ranking ranking{Qid(qid), {}};
  double score = 100;
  for (const std::string& docid : docids) ranking.docs.push_back({Docid(docid), --score});
  return ranking;
}

ComparisonReport report_of(std::span<const Run> runs, const Qrels& qrels,
                           const std::vector<std::string>& measure_names) {
  std::vector<Measure> measures;
  for (const std::string& name : measure_names) measures.push_back(parse_measure(name).value());
  ComparisonReport report;
  report.qrels = "qrels.txt";
  report.measures = measure_names;
  report.options.resamples = 500;
  std::vector<Evaluation> evaluations;
  for (const Run& run : runs) {
    evaluations.push_back(evaluate_run(run, qrels, measures));
    report.runs.push_back({"runs/" + run.tag + ".trec", details_of(run, qrels), {}});
  }
  report.comparison = compare_runs(evaluations, measures.size(), report.options);
  return report;
}

// Three topics with one relevant document each, "r" and the qid, RR@10 in base and run:
//   1: 1/2 and 1      2: 1 and 1/3      3: 1 and 1
ComparisonReport small_report() {
  const Qrels qrels = {{Qid("1"), {{Docid("r1"), 1}}},
                       {Qid("2"), {{Docid("r2"), 2}}},
                       {Qid("3"), {{Docid("r3"), 1}}}};
  const std::array runs = {Run{"base",
                               {ranking_of("1", {"x", "r1"}), ranking_of("2", {"r2", "x", "y"}),
                                ranking_of("3", {"r3"})}},
                           Run{"better",
                               {ranking_of("1", {"r1", "x"}), ranking_of("2", {"x", "y", "r2"}),
                                ranking_of("3", {"r3"})}}};
  return report_of(runs, qrels, {"RR@10", "R@1"});
}

std::vector<std::string> qids_of(const ComparisonReport& report,
                                 const std::vector<internal::TopicChange>& changes) {
  std::vector<std::string> qids;
  for (const auto& change : changes) qids.push_back(report.comparison.qids[change.topic].str());
  return qids;
}

TEST(ComparisonPage, KnowsTheTopicsThatGainedAndLost) {
  const ComparisonReport report = small_report();
  const auto changes = internal::changes_by_difference(report.comparison, 1);
  EXPECT_THAT(qids_of(report, changes), ElementsAre("1", "3", "2"));
  EXPECT_EQ(changes[0].difference(), 0.5);
  EXPECT_THAT(qids_of(report, internal::most_helped(changes)), ElementsAre("1"));
  EXPECT_THAT(qids_of(report, internal::most_hurt(changes)), ElementsAre("2"));
  EXPECT_THAT(shown_topics(report), UnorderedElementsAre(Qid("1"), Qid("2")));
  EXPECT_THAT(shown_documents(report), UnorderedElementsAre(Docid("r1"), Docid("r2")));
}

TEST(ComparisonPage, ShowsTheMovesThatCountMostFirst) {
  // By grade x |1/log2(to + 1) - 1/log2(from + 1)|:
  //   a 1 x |1 - 0.5| = 0.5, b 3 x |0 - 0.2891| = 0.867, c 1 x |0.2891 - 0.2789| = 0.010, d stays
  const TopicDetails base{
      Qid("q"),
      {},
      {{Docid("a"), 1, 3}, {Docid("b"), 3, 10}, {Docid("c"), 1, 11}, {Docid("d"), 1, 4}}};
  const TopicDetails other{
      Qid("q"),
      {},
      {{Docid("a"), 1, 1}, {Docid("b"), 3, 0}, {Docid("c"), 1, 10}, {Docid("d"), 1, 4}}};
  const std::vector<internal::Move> moves = internal::most_moved(base, other);
  ASSERT_EQ(moves.size(), 3u);
  EXPECT_EQ(moves[0].docid, Docid("b"));
  EXPECT_FALSE(moves[0].is_up());
  EXPECT_EQ(moves[1].docid, Docid("a"));
  EXPECT_TRUE(moves[1].is_up());
  EXPECT_EQ(moves[2].docid, Docid("c"));
}

TEST(ComparisonPage, BandsOfRanksTouch) {
  EXPECT_EQ(internal::band_name(internal::band_of(0)), "not found");
  EXPECT_EQ(internal::band_name(internal::band_of(1)), "1");
  EXPECT_EQ(internal::band_name(internal::band_of(3)), "2–3");
  EXPECT_EQ(internal::band_name(internal::band_of(4)), "4–5");
  EXPECT_EQ(internal::band_name(internal::band_of(1000)), "101–1000");
  EXPECT_EQ(internal::band_name(internal::band_of(1001)), "above 1000");
}

TEST(ComparisonPage, ItsNumbersAreThoseOfTheComparison) {
  const ComparisonReport report = small_report();
  const std::string html = to_html(comparison_page(report));
  const std::vector<std::string> names = {"base.trec", "better.trec"};
  for (const MeasureComparison& measure : report.comparison.measures) {
    for (const Row& row : comparison_table(names, measure, report.options).rows) {
      for (const Cell& cell : row) EXPECT_THAT(html, HasSubstr(cell.text));
    }
  }
  // Means 5/6 and 7/9, in the table and in the chart; the differences 0.5, 0 and -2/3, sorted.
  EXPECT_THAT(html, HasSubstr("<td><b>0.8333</b></td>"));
  EXPECT_THAT(html, HasSubstr(R"("name":"mean","y":[0.833333,0.777778])"));
  EXPECT_THAT(html, HasSubstr(R"("categories":["1","3","2"])"));
  EXPECT_THAT(html, HasSubstr(R"("y":[0.5,0.0,-0.666667])"));
  EXPECT_THAT(html, HasSubstr("2: -0.6667 (1.0000 → 0.3333)"));
  EXPECT_THAT(html, HasSubstr("▼ rank 1 → rank 3, grade 2: r2"));
  EXPECT_THAT(html, HasSubstr("runs/base.trec"));
  EXPECT_THAT(html, Not(HasSubstr("Costs")));
}

TEST(ComparisonPage, TextOfTopicsAndDocumentsStaysText) {
  ComparisonReport report = small_report();
  report.queries[Qid("1")] = kHostile;
  report.queries[Qid("2")] =
      "a topic that is longer than its title may be: " + std::string(200, 'x');
  report.passages[Docid("r1")] = {Docid("r1"), kHostile, std::string(5000, 'y') + kHostile};
  const std::string html = to_html(comparison_page(report));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, HasSubstr("1: +0.5000 (0.5000 → 1.0000) – &lt;/script&gt;&lt;img"));
  EXPECT_THAT(html, HasSubstr(std::string(600, 'y')));
  EXPECT_THAT(html, Not(HasSubstr(std::string(701, 'y'))));
  EXPECT_THAT(html, HasSubstr(std::string(200, 'x')));
}

TEST(ComparisonPage, ShowsCostsWhereTheyAreKnown) {
  ComparisonReport report = small_report();
  report.runs[1].cost = RunCost{.topics = 2,
                                .windows = 18,
                                .prompt_tokens = 40'000,
                                .completion_tokens = 3'001,
                                .seconds = 5.5};
  const std::string html = to_html(comparison_page(report));
  for (const char* cell : {"9.0", "20000.0", "1500.5", "2.8", "43001"}) {
    EXPECT_THAT(html, HasSubstr(fmt::format("<td>{}</td>", cell)));
  }
}

// Topics whose document goes from rank 2 to rank 1.
ComparisonReport report_of_many(int num_topics) {
  std::array<rr::Run, 2> runs = {rr::Run{"a", {}}, rr::Run{"b", {}}};
  Qrels qrels;
  for (int i = 0; i < num_topics; ++i) {
    const std::string qid = fmt::format("{:04}", i);
    qrels[Qid(qid)][Docid("r")] = 1;
    runs[0].rankings.push_back(ranking_of(qid, {"x", "r"}));
    runs[1].rankings.push_back(ranking_of(qid, {"r", "x"}));
  }
  return report_of(runs, qrels, {"RR"});
}

TEST(ComparisonPage, TellsRunsOfOneNameApart) {
  ComparisonReport report = small_report();
  report.runs[0].name = "x/out.trec";
  report.runs[1].name = "y/out.trec";
  EXPECT_THAT(to_html(comparison_page(report)),
              HasSubstr(R"("categories":["a x/out.trec","b y/out.trec"])"));
}

TEST(ComparisonPage, ThinsOutWhatManyTopicsWouldCrowd) {
  const ComparisonReport report = report_of_many(3000);
  const std::string html = to_html(comparison_page(report));
  EXPECT_THAT(html, HasSubstr("One in 3 of the 3000 documents is drawn; the table below counts"));
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\">2–3</th><td class=\"good\">3000</td>"));
  EXPECT_EQ(shown_topics(report).size(), internal::kMostTopics);
}

TEST(ComparisonPage, TheSameRunsGiveTheSameBytes) {
  EXPECT_EQ(to_html(comparison_page(report_of_many(40))),
            to_html(comparison_page(report_of_many(40))));
}

TEST(SignificanceTable, ReadsTheSameFromBothSides) {
  MeasureComparison measure;
  measure.runs.resize(3);
  measure.pairs = {{0, 1, 0.1, {}, 0, 0, 0, {}, 0.01, 0, {}},
                   {0, 2, -0.2, {}, 0, 0, 0, {}, 0.00001, 0, {}},
                   {1, 2, -0.3, {}, 0, 0, 0, {}, 0.2, 0, {}}};
  const std::vector<std::string> names = {"x", "y", "z"};
  const Table table = significance_table(names, measure, {});
  EXPECT_EQ(table.rows[1][2].text, "▲ +0.1000, p = 0.0100");
  EXPECT_EQ(table.rows[0][3].text, "▼ -0.1000, p = 0.0100");
  EXPECT_EQ(table.rows[2][2].text, "▼ -0.2000, p <0.0001");
  EXPECT_EQ(table.rows[2][3].text, "-0.3000, p = 0.2000");
  EXPECT_EQ(table.rows[1][1].text, "y");
  EXPECT_EQ(table.rows[1][3].text, "–");
  EXPECT_EQ(table.rows[1][2].tone, Tone::kGood);
  EXPECT_EQ(table.rows[2][3].tone, Tone::kNone);
}

}  // namespace
}  // namespace rr
