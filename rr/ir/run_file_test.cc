#include "rr/ir/run_file.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "rr/ir/internal/test_file.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

using ::testing::HasSubstr;

Run run_of(std::string_view text, BlankDocids blank_docids = BlankDocids::kKeep) {
  const TestFile file(text);
  auto read = read_run(file.path(), blank_docids);
  EXPECT_TRUE(read.ok()) << read.error().to_string();
  return std::move(read.value().run);
}

std::string failure_in(std::string_view text, BlankDocids blank_docids = BlankDocids::kKeep) {
  const TestFile file(text);
  return failure_of(read_run(file.path(), blank_docids), file);
}

std::string lines_of(const Run& run) {
  std::string lines;
  for (const Ranking& ranking : run.rankings) lines += format_ranking(ranking, run.tag);
  return lines;
}

TEST(ReadRun, KeepsTheOrderOfTheLinesWhateverRanksAndScoresSay) {
  const auto run = run_of("1 Q0 a 2 0.5 bm25\n1 Q0 b 1 0.7 bm25\n");
  EXPECT_EQ(run.tag, "bm25");
  EXPECT_EQ(lines_of(run), "1 Q0 a 1 0.5 bm25\n1 Q0 b 2 0.7 bm25\n");
}

TEST(ReadRun, ATopicThatComesBackJoinsItsFirstLines) {
  const auto run = run_of("1 Q0 a 1 3 t\n2 Q0 a 1 3 t\n1 Q0 b 2 2 t\n2 Q0 c 2 1 t\n");
  EXPECT_EQ(lines_of(run), "1 Q0 a 1 3 t\n1 Q0 b 2 2 t\n2 Q0 a 1 3 t\n2 Q0 c 2 1 t\n");
}

TEST(ReadRun, TakesTabsManyBlanksAndAnyLineEnd) {
  const char* expected = "1 Q0 a 1 2 t\n1 Q0 b 2 1 t\n";
  EXPECT_EQ(lines_of(run_of("1\tQ0\ta\t1\t  2\tt\r\n1\tQ0\tb\t2\t  1\tt\r\n")), expected);
  EXPECT_EQ(lines_of(run_of("\xEF\xBB\xBF"
                            "1 Q0 a 1 2 t\n\n  1 Q0 b 2 1 t  ")),
            expected);
  EXPECT_EQ(lines_of(run_of("1 Q0 a 1 2 t\n \xEF\xBB\xBF"
                            "1 Q0 b 2 1 t\n")),
            expected);
  EXPECT_EQ(lines_of(run_of("1 Q0 a 1 +2e0 t\n1 Q0 b 2 1.000 t")), expected);
}

TEST(ReadRun, AnEmptyFileIsARunWithoutTopics) {
  EXPECT_TRUE(run_of("").rankings.empty());
  EXPECT_TRUE(run_of("\n\n").rankings.empty());
}

TEST(ReadRun, DocidsWithBlanksSurviveARoundTrip) {
  const auto run = run_of("4 Q0 torch/Memory  Management_2.txt 7 0.6 reasonir\n");
  EXPECT_EQ(run.rankings[0].docs[0].docid.str(), "torch/Memory  Management_2.txt");
  const std::string written = lines_of(run);
  EXPECT_EQ(written, "4 Q0 torch/Memory%20%20Management_2.txt 1 0.6 reasonir\n");
  EXPECT_EQ(run_of(written).rankings[0].docs[0].docid, run.rankings[0].docs[0].docid);
}

TEST(ReadRun, DropLeavesOutLinesThatHaveNotSixColumnsAndCountsThem) {
  const TestFile file("1 Q0 a b 1 3 t\n1 Q0 c 2 2 t\n1 Q0 d 3 1\n");
  const auto read = read_run(file.path(), BlankDocids::kDrop);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->num_lines, 3u);
  EXPECT_EQ(read->dropped_lines, 2u);
  EXPECT_EQ(lines_of(read->run), "1 Q0 c 1 2 t\n");
}

TEST(ReadRun, QrelsInItsPlaceAreRecognised) {
  const std::string expected =
      "expected the 6 columns of a run (qid Q0 docid rank score tag), found 4; is this a qrels "
      "file?";
  EXPECT_EQ(failure_in("301 0 CR93E-10279 0\n"), "1: " + expected);
  EXPECT_EQ(failure_in("301 0 CR93E-10279 0\n", BlankDocids::kDrop), " " + expected);
  EXPECT_THAT(failure_in("query-id\tcorpus-id\tscore\n"), HasSubstr("is this a qrels file?"));
}

TEST(ReadRun, AMalformedLineIsNamed) {
  EXPECT_EQ(failure_in("1 Q0 a 1 2 t\n1 Q0 b 2 1\n"),
            "2: expected the 6 columns of a run (qid Q0 docid rank score tag), found 5");
  for (const char* score : {"high", "nan", "inf", "-inf", "1.5x", "1e999", "0x10", "+-1"}) {
    EXPECT_EQ(failure_in(std::string("1 Q0 a 1 ") + score + " t\n"),
              std::string(
                  "1: expected a finite number as score, second column from the right, found \"") +
                  score + "\"");
  }
}

TEST(ReadRun, ATagWithBlanksIsToldFromADocidWithBlanks) {
  EXPECT_THAT(failure_in("1 Q0 a 1 0.5 my run\n"),
              HasSubstr("found \"my\"; a docid may have blanks, a tag may not"));
}

TEST(ReadRun, ADocumentTwiceInATopicIsNamedWithItsSecondLine) {
  EXPECT_THAT(failure_in("2 Q0 z 1 9 t\n1 Q0 a 1 3 t\n1 Q0 b 2 2 t\n2 Q0 a 2 2 t\n1 Q0 a 3 1 t\n"),
              HasSubstr("5: expected each document once in a topic, found \"a\" again"));
  EXPECT_THAT(failure_in("1 Q0 a%20b 1 3 t\n1 Q0 a b 2 2 t\n"), HasSubstr("found \"a b\" again"));
}

TEST(ReadRun, IdsThatAreNotUtf8AreRefused) {
  EXPECT_THAT(failure_in("1 Q0 a\xFF 1 3 t\n"), HasSubstr("1: expected a docid in UTF-8"));
  EXPECT_THAT(failure_in("\xC3 Q0 a 1 3 t\n"), HasSubstr("1: expected a qid in UTF-8"));
}

TEST(FormatRanking, ScoresReadBackAsTheSameNumbers) {
  const Ranking ranking{Qid("a b"),
                        {{Docid("x"), 15.780599594116211}, {Docid("y"), 0.1}, {Docid("z"), -1e-9}}};
  const std::string lines = format_ranking(ranking, "my tag");
  EXPECT_EQ(lines,
            "a%20b Q0 x 1 15.780599594116211 my_tag\na%20b Q0 y 2 0.1 my_tag\n"
            "a%20b Q0 z 3 -1e-09 my_tag\n");
  const auto run = run_of(lines);
  EXPECT_EQ(run.rankings[0].qid, ranking.qid);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(run.rankings[0].docs[i].score, ranking.docs[i].score);
  }
}

TEST(FormatRanking, ScoresOfMillionthsAreTheShortestTextToo) {
  std::mt19937_64 random(3);
  Ranking ranking{Qid("1"), {}};
  const auto add = [&ranking](double score) {
    const std::string docid = fmt::format("d{}", ranking.docs.size());
    ranking.docs.push_back({Docid(docid), score});
  };
  for (const double score : {0.001, 0.000999, 1.0, 10.0, 16.5, 0.1, 123456.000001, 999999999.999999,
                             1e9, 1e15, 0.0, -0.0, -3.25, 1e300}) {
    add(score);
    add(std::nextafter(score, 2 * score));
  }
  for (int i = 0; i < 20000; ++i) {
    const double scale = std::pow(10, static_cast<double>(i % 13) - 6);
    const double score = std::uniform_real_distribution<double>(0, scale)(random);
    add(score);
    add(std::round(score * 1e6) / 1e6);
    add(std::round(score * 1e4) / 1e4);
  }
  std::string expected;
  for (std::size_t i = 0; i < ranking.docs.size(); ++i) {
    expected += fmt::format("1 Q0 d{} {} {} t\n", i, i + 1, ranking.docs[i].score);
  }
  EXPECT_TRUE(format_ranking(ranking, "t") == expected);
}

TEST(WriteRun, AWrittenRunReadsBackTheSame) {
  const TestFile file("");
  const auto run = run_of("1 Q0 a 1 3 t\n2 Q0 b c 1 3 t\n");
  auto output = AtomicFile::create(file.path());
  ASSERT_TRUE(output.ok());
  ASSERT_TRUE(write_run(run, output.value()).ok());
  ASSERT_TRUE(output->commit().ok());
  const auto read = read_run(file.path());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(lines_of(read->run), lines_of(run));
}

TEST(ReadRun, BrightsDocidsWithBlanksAreKeptOrDroppedAsAsked) {
  const auto path =
      shared_data("bright-eval-parity/runs/reasonir_gpt4cot_top100/stackoverflow.txt");
  RR_NEEDS_FILE(path);
  const auto kept = read_run(path);
  const auto dropped = read_run(path, BlankDocids::kDrop);
  ASSERT_TRUE(kept.ok() && dropped.ok());
  EXPECT_EQ(kept->num_lines, 11700u);
  EXPECT_EQ(kept->dropped_lines, 0u);
  EXPECT_EQ(dropped->dropped_lines, 12u);
  const auto is_short = [](const Ranking& ranking) { return ranking.docs.size() < 100; };
  EXPECT_EQ(std::ranges::count_if(kept->run.rankings, is_short), 0);
  EXPECT_EQ(std::ranges::count_if(dropped->run.rankings, is_short), 3);

  const TestFile copy(lines_of(kept->run));
  const auto again = read_run(copy.path());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(lines_of(again->run), lines_of(kept->run));
  for (std::size_t i = 0; i < kept->run.rankings.size(); ++i) {
    for (std::size_t j = 0; j < kept->run.rankings[i].docs.size(); ++j) {
      ASSERT_EQ(again->run.rankings[i].docs[j].docid, kept->run.rankings[i].docs[j].docid);
    }
  }
}

}  // namespace
}  // namespace rr
