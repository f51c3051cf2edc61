#include "rr/ir/corpus_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rr/ir/internal/test_file.h"
#include "tests/shared_data.h"
#include "tests/test_folder.h"

namespace rr {
namespace {

using ::testing::HasSubstr;

// "docid|title|text;" for each passage, or what went wrong.
std::string contents_at(const std::filesystem::path& path) {
  auto corpus = CorpusReader::open(path);
  if (!corpus.ok()) return corpus.error().to_string();
  std::string contents;
  for (Passage passage;;) {
    const auto more = corpus->next(passage);
    if (!more.ok()) return more.error().to_string();
    if (!more.value()) return contents;
    contents += passage.docid.str() + "|" + passage.title + "|" + passage.text + ";";
  }
}

std::string contents_of(std::string_view text) { return contents_at(TestFile(text).path()); }

TEST(CorpusReader, KnowsTheFieldsOfBeirPyseriniAndBright) {
  EXPECT_EQ(contents_of(R"({"_id": "d1", "title": "T", "text": "words"})"), "d1|T|words;");
  EXPECT_EQ(contents_of(R"({"id": "d1", "contents": "words"})"), "d1||words;");
  EXPECT_EQ(contents_of(R"({"id": "d1", "content": "words", "title": null})"), "d1||words;");
  EXPECT_EQ(contents_of(R"({"docid": 5, "title": "T", "segment": "s", "body": "b"})"), "5|T|s;");
}

TEST(CorpusReader, ReadsTsvBlankLinesAndAnyLineEnd) {
  EXPECT_EQ(contents_of("d1\tsome words\r\n\r\nd 2\ta\tb"), "d1||some words;d 2||a\tb;");
  EXPECT_EQ(contents_of("d1\t\n"), "d1||;");
  EXPECT_EQ(contents_of(""), "");
}

TEST(CorpusReader, AMalformedPassageIsNamed) {
  EXPECT_THAT(contents_of("d1\tx\nd2 y\n"), HasSubstr(":2: expected docid<tab>text, found no tab"));
  EXPECT_THAT(contents_of(R"({"id": "d1", "words": "x"})"),
              HasSubstr(":1: expected the passage's text in \"text\", \"segment\""));
  EXPECT_THAT(contents_of(R"({"id": "d1", "text": ["x"]})"), HasSubstr("text to be a string"));
  EXPECT_THAT(contents_of(R"({"text": "x"})"), HasSubstr("expected a docid in"));
  EXPECT_THAT(contents_of(R"({"id": "", "text": "x"})"), HasSubstr("found nothing"));
}

TEST(CorpusReader, CountsRepairedText) {
  const TestFile file(
      "d1\ta\xFF"
      "b\n");
  auto corpus = CorpusReader::open(file.path());
  ASSERT_TRUE(corpus.ok());
  Passage passage;
  ASSERT_TRUE(corpus->next(passage).value());
  EXPECT_EQ(corpus->repaired_utf8(), 1u);
  EXPECT_EQ(passage.text,
            "a\xEF\xBF\xBD"
            "b");
}

TEST(CorpusReader, AFolderStandsForItsCorpusOrAllItsFiles) {
  const TestFolder folder;
  folder.write("part2.tsv", "d2\tb\n");
  folder.write("part1.jsonl", R"({"id": "d1", "text": "a"})");
  folder.write("notes.txt", "none");
  EXPECT_EQ(contents_at(folder), "d1||a;d2||b;");
  folder.write("corpus.jsonl", R"({"_id": "d3", "text": "c"})");
  EXPECT_EQ(contents_at(folder), "d3||c;");
  const TestFolder other;
  other.write(".hidden", "");
  EXPECT_THAT(contents_at(other), HasSubstr("expected corpus.jsonl, other"));
}

TEST(CorpusReader, AFolderOfShardsIsReadThroughItsSubfoldersAndTellsWhatItLeavesOut) {
  const TestFolder folder;
  folder.write("one/docs00.json", "{\"id\": \"d1\", \"contents\": \"a\"}\n");
  folder.write("two/docs01.jsonl", "{\"id\": \"d2\", \"contents\": \"b\"}\n");
  folder.write("README.txt", "how it was made");
  EXPECT_EQ(contents_at(folder), "d1||a;d2||b;");
  EXPECT_EQ(CorpusReader::open(folder)->left_out(), std::vector<std::string>{"README.txt"});
}

TEST(CorpusReader, AFolderOfTextFilesIsAPassageAFile) {
  const TestFolder folder;
  folder.write("b/sky.md", "\xEF\xBB\xBF# The sky \r\nIs blue.\nOn Earth.\n");
  folder.write("a z.txt", "no # title\nhere\xFF");
  folder.write("c.txt", "");
  folder.write("d.png", std::string_view("\x89PNG\0\r\n", 7));
  folder.write(".e.swp", "hidden");
  EXPECT_EQ(
      contents_at(folder),
      "a z.txt||no # title\nhere\xEF\xBF\xBD;b/sky.md|The sky|Is blue.\nOn Earth.\n;c.txt||;");
  auto corpus = CorpusReader::open(folder);
  for (Passage passage; corpus->next(passage).value();) {
  }
  EXPECT_EQ(corpus->left_out(), std::vector<std::string>{"d.png"});
  EXPECT_EQ(corpus->repaired_utf8(), 1u);
}

TEST(LoadPassages, KeepsTheWantedOnes) {
  const TestFile file("d1\ta\nd2\tb\nd3\tc\nd3\tc\n");
  const auto loaded = load_passages(file.path(), {Docid("d1"), Docid("d3"), Docid("d9")});
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->passages.size(), 2u);
  EXPECT_EQ(loaded->passages.at(Docid("d3")).text, "c");
}

TEST(LoadPassages, ADocumentAgainWithOtherTextIsRefused) {
  const TestFile file("d1\ta\nd2\tb\nd2\tc\nd1\tx\n");
  EXPECT_TRUE(load_passages(file.path(), {}).ok());
  EXPECT_THAT(failure_of(load_passages(file.path(), {Docid("d1"), Docid("d2")}), file),
              HasSubstr("3: expected each document once, found \"d2\" again with other text"));
}

TEST(CorpusReader, RealCollectionsAreReadWhole) {
  const auto nfcorpus = shared_data("beir-nfcorpus");
  RR_NEEDS_FILE(nfcorpus);
  const auto count = [](const std::filesystem::path& path) {
    auto corpus = CorpusReader::open(path);
    std::size_t passages = 0;
    for (Passage passage; corpus->next(passage).value();) ++passages;
    EXPECT_EQ(corpus->repaired_utf8(), 0u);
    return passages;
  };
  EXPECT_EQ(count(nfcorpus), 3633u);
  EXPECT_EQ(count(shared_data("noveleval/corpus.tsv")), 420u);
  EXPECT_EQ(count(shared_data("reasoning-theoremqa-theorems/corpus.jsonl")), 353u);
}

}  // namespace
}  // namespace rr
