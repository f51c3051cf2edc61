#include "rr/ir/topics_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rr/ir/internal/test_file.h"
#include "tests/shared_data.h"
#include "tests/test_folder.h"

namespace rr {
namespace {

using ::testing::HasSubstr;

ReadTopics topics_of(std::string_view text) {
  const TestFile file(text);
  auto topics = read_topics(file.path());
  EXPECT_TRUE(topics.ok()) << topics.error().to_string();
  return std::move(topics.value());
}

std::string failure_in(std::string_view text) {
  const TestFile file(text);
  return failure_of(read_topics(file.path()), file);
}

// "qid|query|excluded,excluded;" for each topic.
std::string summary_of(const ReadTopics& read) {
  std::string summary;
  for (const Topic& topic : read.topics) {
    summary += topic.qid.str() + "|" + topic.query + "|";
    for (const Docid& docid : topic.excluded) summary += docid.str() + ",";
    summary += ";";
  }
  return summary;
}

TEST(ReadTopics, KnowsTheFieldsOfBeirPyseriniAndBright) {
  EXPECT_EQ(summary_of(topics_of(R"({"_id": "q1", "text": "why?", "metadata": {"text": "no"}})")),
            "q1|why?|;");
  EXPECT_EQ(summary_of(topics_of(R"({"qid": 7, "title": "why?"})")), "7|why?|;");
  EXPECT_EQ(summary_of(topics_of(R"({"query_id": "7", "text": "why?"})")), "7|why?|;");
  EXPECT_EQ(summary_of(topics_of(R"({"query": "a\nb", "reasoning": "r", "id": "0",)"
                                 R"( "excluded_ids": ["x", "y z"], "gold_ids": ["g"]})")),
            "0|a\nb|x,y z,;");
}

TEST(ReadTopics, NotAvailableExcludesNothing) {
  EXPECT_EQ(summary_of(topics_of(R"({"id": "0", "query": "q", "excluded_ids": ["N/A"]})")),
            "0|q|;");
  EXPECT_EQ(summary_of(topics_of(R"({"id": "0", "query": "q", "excluded_ids": "N/A"})")), "0|q|;");
  EXPECT_EQ(summary_of(topics_of(R"({"id": "0", "query": "q", "excluded_ids": []})")), "0|q|;");
  EXPECT_EQ(summary_of(topics_of(R"({"id": "0", "query": "q", "excluded_ids": null})")), "0|q|;");
}

TEST(ReadTopics, TsvKeepsEverythingAfterTheFirstTab) {
  EXPECT_EQ(summary_of(topics_of("\xEF\xBB\xBF"
                                 "1\twhy \t so?\r\n\n2\thow?")),
            "1|why \t so?|;2|how?|;");
  EXPECT_TRUE(topics_of("").topics.empty());
}

TEST(ReadTopics, InvalidUtf8IsRepairedInQueriesAndRefusedInIds) {
  const ReadTopics tsv = topics_of("1\tna\xEFve\n");
  EXPECT_EQ(tsv.repaired_utf8, 1u);
  EXPECT_EQ(tsv.topics[0].query, "na\xEF\xBF\xBDve");
  EXPECT_EQ(topics_of("{\"id\": \"1\", \"text\": \"\xFF\xFF\"}").repaired_utf8, 2u);
  EXPECT_THAT(failure_in("\xFF\tq\n"), HasSubstr("1: expected a qid in UTF-8"));
  EXPECT_THAT(failure_in("{\"id\": \"\xFF\", \"text\": \"q\"}"), HasSubstr("1: expected a qid in"));
}

TEST(ReadTopics, AMalformedTopicIsNamed) {
  EXPECT_EQ(failure_in("1\tq\n2 q\n"), "2: expected qid<tab>query, found no tab");
  EXPECT_THAT(failure_in("1\tq\n2\t  \n"),
              HasSubstr("2: expected a query for topic \"2\", found only blanks"));
  EXPECT_THAT(failure_in("1\tq\n1\tr\n"), HasSubstr("2: expected each topic once, found \"1\""));
  EXPECT_THAT(failure_in("\tq\n"), HasSubstr("1: expected a qid, found nothing"));
  EXPECT_THAT(failure_in(R"({"id": "1"})"), HasSubstr("1: expected a query in"));
  EXPECT_THAT(failure_in(R"({"text": "q"})"),
              HasSubstr("expected a qid in \"_id\", \"id\", \"qid\" or \"query_id\", found none"));
  EXPECT_THAT(failure_in(R"({"id": "1", "text": 3})"), HasSubstr("\"text\" to be a string"));
  EXPECT_THAT(failure_in("{\"id\": \"1\", \"text\": \"q\"}\n{\"id\": \"2\", "),
              HasSubstr("2: expected JSON"));
  EXPECT_THAT(failure_in("{\"id\": \"1\", \"text\": \"q\"}\n7\n"),
              HasSubstr("2: expected one JSON"));
  EXPECT_THAT(failure_in(R"([{"id": "1", "text": "q"}])"), HasSubstr("found a JSON array"));
  EXPECT_THAT(failure_in(R"({"id": "1", "text": "q", "excluded_ids": 3})"),
              HasSubstr("\"excluded_ids\" to be a list"));
}

TEST(ReadTopics, AFolderStandsForItsQueries) {
  const TestFolder folder;
  folder.write("queries.jsonl", R"({"_id": "q1", "text": "why?"})");
  EXPECT_EQ(read_topics(folder).value().topics.size(), 1u);
}

TEST(ReadTopics, BrightsExamplesAndArguanasTopicsAreRead) {
  const auto aops = shared_data("bright-eval-parity/examples/aops.original.jsonl.gz");
  RR_NEEDS_FILE(aops);
  const auto topics = read_topics(aops);
  ASSERT_TRUE(topics.ok()) << topics.error().to_string();
  EXPECT_EQ(topics->topics.size(), 111u);
  EXPECT_FALSE(topics->topics[0].excluded.empty());

  const auto arguana = read_topics(shared_data("beir-arguana/queries.test.tsv"));
  ASSERT_TRUE(arguana.ok()) << arguana.error().to_string();
  EXPECT_EQ(arguana->topics.size(), 1406u);
  EXPECT_EQ(arguana->repaired_utf8, 0u);
}

}  // namespace
}  // namespace rr
