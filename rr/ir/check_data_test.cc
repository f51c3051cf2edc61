#include "rr/ir/check_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/shared_data.h"
#include "tests/test_folder.h"

namespace rr {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DataFolder : public ::testing::Test {
 protected:
  void write(const std::string& name, std::string_view text) const {
    parent_.write(fs::path("small") / name, text);
  }
  FoundDatasets found() const { return find_datasets(folder_).value(); }

  // "error qrels.txt: ..." for each finding of the first data set.
  std::vector<std::string> findings() const {
    std::vector<std::string> lines;
    for (const Finding& finding : check_dataset(found().datasets.at(0)).findings) {
      const std::string kind =
          finding.severity == Finding::Severity::kError ? "error " : "warning ";
      lines.push_back(kind + finding.where.substr(folder_.string().size() + 1) + ": " +
                      finding.what);
    }
    return lines;
  }

  void write_beir() const {
    write("corpus.jsonl",
          "{\"_id\": \"a\", \"title\": \"\", \"text\": \"one\"}\n"
          "{\"_id\": \"b\", \"title\": \"\", \"text\": \"three\"}\n");
    write("queries.jsonl", "{\"_id\": \"1\", \"text\": \"q\"}\n");
    write("qrels/test.tsv", "query-id\tcorpus-id\tscore\n1\ta\t2\n");
  }

  TestFolder parent_;
  fs::path folder_ = parent_ / "small";
};

TEST_F(DataFolder, AWholeBeirCollectionHasNoFindings) {
  write_beir();
  EXPECT_EQ(found().layout, "BEIR");
  EXPECT_EQ(found().datasets.at(0).name, "small");
  EXPECT_THAT(findings(), IsEmpty());
  const DatasetReport report = check_dataset(found().datasets.at(0));
  ASSERT_EQ(report.files.size(), 3u);
  EXPECT_EQ(report.files[0].content, "2 passages, the longest of 5 bytes");
  EXPECT_EQ(report.files[2].content, "1 judgement of 1 topic, grades 2 to 2");
}

TEST_F(DataFolder, FaultsOfACorpusAreCountedAndTheFirstIsNamed) {
  write_beir();
  write("corpus.jsonl",
        "{\"_id\": \"a\", \"text\": \"one\"}\n{\"_id\": \"a\", \"text\": \" \"}\n"
        "{\"_id\": \"b\", \"text\": \"\xFF\"}\n");
  const auto lines = findings();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[0], HasSubstr("error corpus.jsonl: 1 docid that came before, first \"a\" ("));
  EXPECT_THAT(lines[0], HasSubstr("corpus.jsonl:2)"));
  EXPECT_THAT(lines[1], HasSubstr("warning corpus.jsonl: 1 passage without text"));
  EXPECT_THAT(lines[2], HasSubstr("1 passage with U+FFFD"));
  EXPECT_THAT(lines[3], HasSubstr("1 ill-formed UTF-8 sequence"));
}

TEST_F(DataFolder, FilesAreHeldAgainstEachOther) {
  write_beir();
  write("queries.jsonl", "{\"_id\": \"1\", \"text\": \"q\"}\n{\"_id\": \"2\", \"text\": \"q\"}\n");
  write("qrels/test.tsv", "query-id\tcorpus-id\tscore\n1\tz\t0\n7\ta\t1\n");
  write("run.bm25.trec", "1 Q0 y 1 2.0 t\n9 Q0 a 1 1.0 t\n");
  write("broken.trec", "1 Q0 y\n");
  EXPECT_THAT(
      findings(),
      ElementsAre("error qrels/test.tsv: 1 topic that no file of topics has, first \"7\"",
                  "error qrels/test.tsv: 1 judged document that the corpus lacks, first \"z\" of "
                  "topic \"1\"",
                  "warning qrels/test.tsv: 1 topic without a relevant document, first \"1\"",
                  "warning queries.jsonl: 1 topic without qrels, first \"2\"",
                  "error broken.trec:1: expected the 6 columns of a run (qid Q0 docid rank score "
                  "tag), found 3; is this a qrels file?",
                  "error run.bm25.trec: 1 topic that no file of topics has, first \"9\"",
                  "error run.bm25.trec: 1 document that the corpus lacks, first \"y\" of topic "
                  "\"1\""));
}

TEST_F(DataFolder, BrightHasPartsWithExcludedAndGoldDocuments) {
  write("documents/biology.jsonl",
        "{\"id\": \"a\", \"content\": \"one\"}\n"
        "{\"id\": \"b\", \"content\": \"two\"}\n");
  write("long_documents/biology.jsonl", "{\"id\": \"L\", \"content\": \"one two\"}\n");
  write(
      "examples/biology.jsonl",
      "{\"query\": \"q\", \"id\": \"0\", \"excluded_ids\": [\"b\"], \"gold_ids\": [\"a\", \"c\"], "
      "\"gold_ids_long\": [\"M\"]}\n");
  write("examples/aops.jsonl", "{\"query\": \"q\", \"id\": \"0\", \"excluded_ids\": [\"N/A\"]}\n");
  write("qrels/biology.txt", "0 0 a 1\n0 0 b 1\n");
  write("runs/system/biology.txt", "0 Q0 b 1 1 t\n");
  write("documents/pony-00000-of-00001.parquet", "PAR1");
  const FoundDatasets bright = found();
  EXPECT_EQ(bright.layout, "BRIGHT");
  ASSERT_EQ(bright.datasets.size(), 2u);
  EXPECT_EQ(bright.unread.size(), 1u);
  std::vector<std::string> lines;
  for (const Finding& finding : check_dataset(bright.datasets[1]).findings) {
    lines.push_back(finding.what);
  }
  EXPECT_THAT(lines,
              ElementsAre("1 gold document that the corpus lacks, first \"c\" of topic \"0\"",
                          "1 gold document that the long corpus lacks, first \"M\" of topic \"0\"",
                          "1 relevant document that the topic excludes, first \"b\" of topic \"0\"",
                          "1 topic with other relevant documents than gold_ids, first \"0\"",
                          "1 document that its topic excludes, first \"b\" of topic \"0\""));
}

TEST_F(DataFolder, R2MedAndTrecAreKnownByTheirNames) {
  write("corpus.jsonl", "{\"id\": \"a\", \"text\": \"one\"}\n");
  write("query.jsonl", "{\"id\": \"1\", \"text\": \"q\"}\n");
  write("qrels.jsonl", "{\"q_id\": \"1\", \"p_id\": \"a\", \"score\": 1}\n");
  EXPECT_EQ(found().layout, "R2MED");
  EXPECT_THAT(findings(), IsEmpty());
  fs::remove(folder_ / "corpus.jsonl");
  fs::rename(folder_ / "query.jsonl", folder_ / "topics.dl19.jsonl");
  write("collection.tsv", "a\tone\n");
  write("qrels.dl19-passage.txt", "1 Q0 a 3\n");
  fs::remove(folder_ / "qrels.jsonl");
  EXPECT_EQ(found().layout, "TREC");
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(DataFolder, AFolderOfOtherThingsIsRefused) {
  write("readme.txt", "nothing");
  write("data.zip", "PK");
  EXPECT_THAT(find_datasets(folder_).error().message, HasSubstr("Parquet files and archives"));
  EXPECT_THAT(find_datasets(folder_ / "none").error().message, HasSubstr("expected a folder"));
}

std::size_t errors_in(const fs::path& folder) {
  std::size_t errors = 0;
  const FoundDatasets found = find_datasets(folder).value();
  for (const Dataset& dataset : found.datasets) {
    for (const Finding& finding : check_dataset(dataset).findings) {
      if (finding.severity == Finding::Severity::kError) ++errors;
    }
  }
  return errors;
}

TEST(RealData, NfcorpusHoldsTogether) {
  const fs::path folder = shared_data("beir-nfcorpus");
  RR_NEEDS_FILE(folder);
  EXPECT_EQ(find_datasets(folder)->layout, "BEIR");
  EXPECT_EQ(errors_in(folder), 0u);
}

TEST(RealData, BrightHoldsTogether) {
  const fs::path folder = shared_data("bright-eval-parity");
  RR_NEEDS_FILE(folder);
  const FoundDatasets bright = find_datasets(folder).value();
  EXPECT_EQ(bright.layout, "BRIGHT");
  EXPECT_EQ(bright.datasets.size(), 8u);
  EXPECT_EQ(errors_in(folder), 0u);
}

}  // namespace
}  // namespace rr
