#include "rr/ir/qrels_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "rr/ir/internal/test_file.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

Qrels qrels_of(std::string_view text) {
  const TestFile file(text);
  auto qrels = read_qrels(file.path());
  EXPECT_TRUE(qrels.ok()) << qrels.error().to_string();
  return std::move(qrels.value());
}

std::string failure_in(std::string_view text) {
  const TestFile file(text);
  return failure_of(read_qrels(file.path()), file);
}

const Qrels kExpected = {{Qid("1"), {{Docid("a"), 2}, {Docid("b c"), -1}}},
                         {Qid("2"), {{Docid("a"), 0}}}};

TEST(ReadQrels, TrecColumnsWithTabsOrBlanksAndAnyLineEnd) {
  EXPECT_EQ(qrels_of("1 0 a 2\n1 0 b c -1\n2 0 a 0\n"), kExpected);
  EXPECT_EQ(qrels_of("1\t0\ta\t2\r\n1\tQ0\tb c\t-1\r\n2\t0\ta\t0"), kExpected);
  EXPECT_EQ(qrels_of("\xEF\xBB\xBF"
                     "1 0 a 2\n\n1 0 b%20c -1\n2 0 a 0\n"),
            kExpected);
  EXPECT_TRUE(qrels_of("").empty());
}

TEST(ReadQrels, BeirColumnsAreKnownByTheirHeader) {
  EXPECT_EQ(qrels_of("query-id\tcorpus-id\tscore\n1\ta\t2\n1\tb c\t-1\n2\ta\t0\n"), kExpected);
  EXPECT_THAT(failure_in("query-id\tcorpus-id\tscore\n1 a 2\n"),
              HasSubstr("2: expected query-id, corpus-id and score with tabs"));
}

TEST(ReadQrels, JsonLinesHaveTheNamesOfBeirOrR2Med) {
  EXPECT_EQ(qrels_of("{\"query-id\": \"1\", \"corpus-id\": \"a\", \"score\": 2.0}\n"
                     "{\"q_id\": 1, \"p_id\": \"b c\", \"score\": -1}\n"
                     "{\"q_id\": 2, \"p_id\": \"a\", \"score\": 0}\n"),
            kExpected);
  EXPECT_EQ(failure_in("{\"q_id\": 1, \"p_id\": \"b\", \"score\": 0.5}\n"),
            "1: expected a whole number as grade in \"score\", \"relevance\" or \"grade\"");
  EXPECT_THAT(failure_in("{\"q_id\": 1, \"score\": 1}\n"), HasSubstr("1: expected a docid in"));
}

TEST(ReadQrels, AQidMayBeginLikeJson) {
  EXPECT_EQ(qrels_of("{q} 0 a 2\n"), (Qrels{{Qid("{q}"), {{Docid("a"), 2}}}}));
  EXPECT_THAT(failure_in("{\"query-id\": \"1\" \"2\" \"3\"\n"), HasSubstr("JSON"));
}

TEST(ReadQrels, LinesThatBeginWithAHashAreComments) {
  EXPECT_EQ(qrels_of("# pool 1\n1 0 a 2\n1 0 b c -1\n#\n2 0 a 0\n"), kExpected);
  EXPECT_THAT(qrels_of("1 0 a#1 2\n").at(Qid("1")), UnorderedElementsAre(Pair(Docid("a#1"), 2)));
}

TEST(ReadQrels, AQidThatWouldBeginACommentIsRefused) {
  constexpr const char* kExpectation = "1: expected a qid that does not begin with '#'";
  EXPECT_THAT(failure_in(R"({"qid": "#1", "docid": "a", "score": 1})"), HasSubstr(kExpectation));
  EXPECT_THAT(failure_in(" #1 0 a 1\n"), HasSubstr("in qrels, found \"#1\""));
}

TEST(ReadQrels, AMalformedLineIsNamed) {
  EXPECT_EQ(failure_in("1 0 a 2\n1 0 b\n"),
            "2: expected the 4 columns of qrels (qid iteration docid grade), found 3");
  EXPECT_EQ(failure_in("1 0 a yes\n"),
            "1: expected a whole number as grade in the last column, found \"yes\"");
  EXPECT_THAT(failure_in("1 0 a 1.5\n"), HasSubstr("found \"1.5\""));
  EXPECT_THAT(failure_in("1 0 a 99999999999\n"), HasSubstr("found \"99999999999\""));
  EXPECT_THAT(failure_in("1 0 \xFF 1\n"), HasSubstr("1: expected a docid in UTF-8"));
}

TEST(ReadQrels, ARunInItsPlaceIsRecognised) {
  const std::string expected =
      "1: expected the 4 columns of qrels (qid iteration docid grade), found 6; is this a run "
      "file?";
  EXPECT_EQ(failure_in("301 Q0 FR94 1 2.5 STANDARD\n"), expected);
  EXPECT_EQ(failure_in("301 Q0 FR94 1 2.5 17\n"), expected);  // a tag that could be a grade
}

TEST(ReadQrels, ADocumentJudgedTwiceIsRefused) {
  EXPECT_THAT(failure_in("1 0 a 2\n2 0 a 2\n1 0 a 2\n"),
              HasSubstr("3: expected each document once in a topic, found \"a\" judged again"));
}

TEST(ReadQrels, ReadsGzip) {
  const TestFile file("");
  gzFile packed = gzopen(file.path().c_str(), "wb");
  gzputs(packed, "1 0 a 2\n1 0 b c -1\n2 0 a 0\n");
  gzclose(packed);
  EXPECT_EQ(read_qrels(file.path()).value(), kExpected);
}

TEST(ReadQrels, BothFormsOfNfcorpusAgree) {
  const auto trec = shared_data("beir-nfcorpus/qrels.beir-v1.0.0-nfcorpus.test.txt");
  RR_NEEDS_FILE(trec);
  const auto expected = read_qrels(trec);
  const auto folder = read_qrels(shared_data("beir-nfcorpus"));
  ASSERT_TRUE(expected.ok() && folder.ok());
  std::size_t judgements = 0;
  for (const auto& [qid, topic] : folder.value()) judgements += topic.size();
  EXPECT_EQ(judgements, 12334u);
  EXPECT_EQ(folder.value(), expected.value());
}

}  // namespace
}  // namespace rr
