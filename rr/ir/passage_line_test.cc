#include "rr/ir/internal/passage_line.h"

#include <gtest/gtest.h>

#include <string>

#include "rr/base/file.h"
#include "rr/ir/internal/passage_record.h"
#include "rr/ir/internal/read_id.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

// The slow way.
Result<PassageLine> slowly(const std::string& line) {
  std::size_t repaired = 0;
  RR_TRY(const Json record, parse_record(line, "f:1", repaired));
  RR_TRY(std::string docid, read_json_id(record, kDocidKeys, "docid", repaired, "f:1"));
  RR_TRY(Passage passage, passage_text_of(record, "f:1"));
  passage.docid = Docid(std::move(docid));
  return PassageLine{std::move(passage), count_unread_fields(record)};
}

void expect_same(const PassageLine& quick, const Result<PassageLine>& slow,
                 const std::string& line) {
  ASSERT_TRUE(slow.ok()) << line << " " << slow.error().to_string();
  EXPECT_EQ(quick.passage.docid, slow->passage.docid) << line;
  EXPECT_EQ(quick.passage.title, slow->passage.title) << line;
  EXPECT_EQ(quick.passage.text, slow->passage.text) << line;
  EXPECT_EQ(quick.unread_fields, slow->unread_fields) << line;
}

TEST(PlainPassage, IsWhatTheSlowWayReads) {
  for (std::string line : {
           R"({"_id": "a", "title": "T", "text": "one \u00e9 \"two\"\n\u0000"})",
           R"({"id": 7, "contents": "x", "text": null, "url": {"a": [1, 2.5e3, true]}, "n": -0})",
           R"({"docid": "a%20b", "segment": "x", "title": null})",
           R"( {"id":"b","doc_id":"c","passage":"","body":"y","title":""} )",
           R"({"id": -9223372036854775808, "text": "x"})",
       }) {
    const std::string copy = line;
    const auto quick = parse_plain_passage(line);
    ASSERT_TRUE(quick.has_value()) << line;
    EXPECT_EQ(line, copy);
    expect_same(*quick, slowly(line), line);
  }
}

TEST(PlainPassage, LeavesWhatIsOddToTheSlowWay) {
  for (std::string line :
       {R"({"_id": "a", "_id": "b", "text": "x"})", R"({"_id": "", "text": "x"})",
        R"({"_id": null, "text": "x"})", R"({"_id": "a"})", R"({"_id": "a", "text": 1})",
        R"({"_id": "a", "text": "x", "title": 1})", R"({"_id": 1.5, "text": "x"})",
        R"({"_id": 18446744073709551615, "text": "x"})", R"(["a"])", R"({"_id": "a")", "",
        "{\"_id\": \"a\", \"text\": \"\xFF\"}", R"({"_id": "a", "text": "x"} y)",
        R"({"_id": "a", "text": "\ud800"})", R"({"_id": "a", "text": "x", "n": 1e999})"}) {
    EXPECT_FALSE(parse_plain_passage(line).has_value()) << line;
  }
  std::string deep =
      R"({"_id": "a", "text": "x", "d": )" + std::string(70, '[') + std::string(70, ']') + "}";
  EXPECT_FALSE(parse_plain_passage(deep).has_value());
}

TEST(PlainPassage, RealPassagesReadTheSame) {
  const auto path = shared_data("beir-nfcorpus/corpus.jsonl");
  RR_NEEDS_FILE(path);
  LineReader reader = std::move(LineReader::open(path).value());
  for (std::string line; reader.next(line).value();) {
    const auto quick = parse_plain_passage(line);
    ASSERT_TRUE(quick.has_value()) << line;
    expect_same(*quick, slowly(line), line);
  }
}

}  // namespace
}  // namespace rr
