#include "rr/bm25/index.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <unistd.h>

#include "rr/base/file.h"
#include "rr/base/random.h"
#include "rr/bm25/internal/index_files.h"
#include "rr/bm25/internal/test_index.h"
#include "rr/bm25/searcher.h"

namespace rr {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::vector<TestDocument> kDocuments = {
    {"x y", "Some text of the first document"}, {"2", ""}, {"3", "Über – naïve text"}};

std::vector<TestDocument> many_documents(std::size_t count) {
  RandomStream random(7, 0);
  std::vector<TestDocument> documents;
  for (std::size_t i = 0; i < count; ++i) {
    std::string text;
    for (int j = 0; j < 30; ++j) text += fmt::format("t{} ", random.below(5000));
    documents.push_back({fmt::format("doc{}", i), text});
  }
  return documents;
}

std::string error_of_build(const TestFolder& folder, std::string_view corpus) {
  EXPECT_TRUE(write_file(folder / "corpus.jsonl", corpus).ok());
  const auto report = build_index(folder / "corpus.jsonl", folder / "idx", {});
  EXPECT_FALSE(fs::exists(folder / "idx.building"));
  return report.ok() ? "" : report.error().to_string();
}

TEST(Index, KeepsPassagesAsTheyWere) {
  const TestFolder folder;
  EXPECT_EQ(error_of_build(folder, R"({"_id": "x y", "title": "A title", "text": "Some\ttext"}
{"_id": "2", "text": ""}
{"_id": "3", "text": "Über – naïve"})"),
            "");
  const Index index = Index::open(folder / "idx").value();
  ASSERT_EQ(index.statistics().num_documents, 3u);
  EXPECT_EQ(index.passage(0)->title, "A title");
  EXPECT_EQ(index.passage(0)->text, "Some\ttext");
  EXPECT_EQ(index.passage(1)->text, "");
  EXPECT_EQ(index.passage(2)->text, "Über – naïve");
  EXPECT_EQ(index.docid(0), "x y");
  EXPECT_EQ(index.find("3"), 2u);
  EXPECT_EQ(index.find("4"), std::nullopt);
}

TEST(Index, HoldsEveryPassageOfManyFrames) {
  const TestFolder folder;
  const auto documents = many_documents(3000);
  write_corpus(folder / "corpus.jsonl", documents);
  ASSERT_TRUE(build_index(folder / "corpus.jsonl", folder / "idx", {}).ok());
  const Index index = Index::open(folder / "idx").value();
  for (std::uint32_t doc = 0; doc < 3000; ++doc) {
    ASSERT_EQ(index.passage(doc)->text, documents[doc].text);
    ASSERT_EQ(index.find(documents[doc].docid), doc);
  }
}

std::string bytes_of_index(const fs::path& folder) {
  std::string all;
  for (const char* name :
       {"header.json", "terms.bin", "postings.bin", "documents.bin", "texts.bin", "frames.bin"}) {
    all += read_file(folder / name).value();
  }
  return all;
}

TEST(BuildIndex, MakesTheSameBytesWithAnyMemoryAndThreads) {
  const TestFolder folder;
  write_corpus(folder / "corpus.jsonl", many_documents(60000));
  const auto plain = build_index(folder / "corpus.jsonl", folder / "a", {.num_threads = 1});
  const auto small = build_index(folder / "corpus.jsonl", folder / "b",
                                 {.memory_bytes = 4 << 20, .num_threads = 3});
  ASSERT_TRUE(plain.ok() && small.ok());
  EXPECT_EQ(plain->num_spills, 1u);
  EXPECT_GT(small->num_spills, 3u);
  EXPECT_EQ(bytes_of_index(folder / "a"), bytes_of_index(folder / "b"));
}

TEST(BuildIndex, RefusesWhatIsNoCorpus) {
  const TestFolder folder;
  EXPECT_THAT(error_of_build(folder, ""), HasSubstr("expected at least one passage, found none"));
  EXPECT_THAT(error_of_build(folder, "{\"text\": \"no id\"}\n"), HasSubstr("corpus.jsonl:1: "));
  EXPECT_THAT(error_of_build(folder,
                             "{\"_id\": \"a\", \"text\": \"x\"}\n"
                             "{\"_id\": \"b\", \"text\": \"x\"}\n"
                             "{\"_id\": \"a\", \"text\": \"y\"}\n"),
              HasSubstr("expected each document once, found \"a\" as passages 1 and 3"));
  EXPECT_FALSE(fs::exists(folder / "idx"));
}

TEST(BuildIndex, LeavesTheOldIndexWhereItFailsAndReplacesItWhereItDoesNot) {
  const TestFolder folder;
  EXPECT_EQ(error_of_build(folder, "{\"_id\": \"a\", \"text\": \"old\"}\n"), "");
  EXPECT_NE(error_of_build(folder, "{\"_id\": \"b\", \"text\": \"new\"}\n{broken"), "");
  EXPECT_EQ(Index::open(folder / "idx")->docid(0), "a");
  EXPECT_EQ(error_of_build(folder, "{\"_id\": \"b\", \"text\": \"new\"}\n"), "");
  EXPECT_EQ(Index::open(folder / "idx")->docid(0), "b");
}

TEST(BuildIndex, StartsAnewAfterOneThatWasKilled) {
  const TestFolder folder;
  fs::create_directories(folder / "idx.building");
  ASSERT_TRUE(write_file(folder / "idx.building/spill.0", "left over").ok());
  EXPECT_EQ(error_of_build(folder, "{\"_id\": \"a\", \"text\": \"x\"}\n"), "");
  EXPECT_FALSE(fs::exists(folder / "idx/spill.0"));
}

TEST(BuildIndex, DoesNotBuildTwiceAtTheSameTime) {
  const TestFolder folder;
  write_corpus(folder / "corpus.jsonl", kDocuments);
  fs::create_directories(folder / "idx.building");
  const int other = ::open((folder / "idx.building").c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  const auto report = build_index(folder / "corpus.jsonl", folder / "idx", {});
  ::close(other);
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(report.error().message, HasSubstr("another process is building this index"));
}

TEST(BuildIndex, DoesNotReplaceAFolderOfSomethingElse) {
  const TestFolder folder;
  write_corpus(folder / "corpus.jsonl", kDocuments);
  fs::create_directories(folder / "idx");
  ASSERT_TRUE(write_file(folder / "idx/thesis.txt", "years of work").ok());
  EXPECT_FALSE(build_index(folder / "corpus.jsonl", folder / "idx", {}).ok());
  EXPECT_TRUE(fs::exists(folder / "idx/thesis.txt"));
}

class DamagedIndex : public ::testing::Test {
 protected:
  void SetUp() override {
    write_corpus(folder_ / "corpus.jsonl", many_documents(2000));
    ASSERT_TRUE(build_index(folder_ / "corpus.jsonl", folder_ / "idx", {}).ok());
  }

  std::string open_error() const {
    const auto index = Index::open(folder_ / "idx");
    return index.ok() ? "" : index.error().to_string();
  }

  fs::path file(const std::string& name) const { return folder_ / ("idx/" + name); }

  TestFolder folder_;
};

TEST_F(DamagedIndex, IsRefusedForOneFlippedBitAndTheFileIsNamed) {
  for (const char* name :
       {"header.json", "terms.bin", "postings.bin", "documents.bin", "frames.bin"}) {
    const std::string whole = read_file(file(name)).value();
    for (const std::size_t place : {std::size_t{0}, whole.size() / 3, whole.size() - 2}) {
      std::string damaged = whole;
      damaged[place] = static_cast<char>(damaged[place] ^ 4);
      ASSERT_TRUE(write_file(file(name), damaged).ok());
      EXPECT_THAT(open_error(), HasSubstr(file(name).string()));
    }
    ASSERT_TRUE(write_file(file(name), whole).ok());
  }
  EXPECT_EQ(open_error(), "");
}

TEST_F(DamagedIndex, IsRefusedWhenCutShortOrWithoutAFile) {
  for (const char* name :
       {"terms.bin", "postings.bin", "documents.bin", "texts.bin", "frames.bin"}) {
    const std::string whole = read_file(file(name)).value();
    ASSERT_TRUE(write_file(file(name), whole.substr(0, whole.size() - 1)).ok());
    EXPECT_THAT(open_error(), HasSubstr(file(name).string()));
    fs::remove(file(name));
    EXPECT_THAT(open_error(), HasSubstr(file(name).string()));
    ASSERT_TRUE(write_file(file(name), whole).ok());
  }
}

TEST_F(DamagedIndex, OfAnotherVersionIsNamedSo) {
  std::string header = read_file(file("header.json")).value();
  header.replace(header.find("\"version\":1"), 11, "\"version\":2");
  ASSERT_TRUE(write_file(file("header.json"), header).ok());
  EXPECT_THAT(open_error(), HasSubstr("expected an index of version 1, found version 2"));
}

TEST_F(DamagedIndex, DoesNotGiveAChangedText) {
  std::string texts = read_file(file("texts.bin")).value();
  texts[texts.size() / 2] = static_cast<char>(texts[texts.size() / 2] ^ 16);
  ASSERT_TRUE(write_file(file("texts.bin"), texts).ok());
  const Index index = Index::open(folder_ / "idx").value();
  std::size_t num_failed = 0;
  const auto documents = many_documents(2000);
  for (std::uint32_t doc = 0; doc < 2000; ++doc) {
    const auto passage = index.passage(doc);
    if (passage.ok()) {
      EXPECT_EQ(passage->text, documents[doc].text);
    } else {
      EXPECT_THAT(passage.error().to_string(), HasSubstr("texts.bin"));
      ++num_failed;
    }
  }
  EXPECT_GT(num_failed, 0u);
}

TEST_F(DamagedIndex, NeverCrashesBehindItsChecksums) {
  RandomStream random(8, 0);
  for (int i = 0; i < 300; ++i) {
    const char* names[] = {"terms.bin", "postings.bin", "documents.bin", "texts.bin", "frames.bin"};
    const fs::path path = file(names[random.below(5)]);
    const std::string whole = read_file(path).value();
    std::string damaged = whole;
    damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
    ASSERT_TRUE(write_file(path, damaged).ok());
    const auto files = internal::IndexFiles::open(folder_ / "idx", false);
    for (std::uint32_t t = 0; files.ok() && t < 5000; t += 97) {
      const auto term = files->find_term(fmt::format("t{}", t));
      if (term) static_cast<void>(files->postings_of(*term));
    }
    ASSERT_TRUE(write_file(path, whole).ok());
  }
}

TEST(Index, ThatIsNotThereIsSaidSo) {
  const auto index = Index::open("/nowhere/at/all");
  ASSERT_FALSE(index.ok());
  EXPECT_EQ(index.error().code, Errc::kNotFound);
  EXPECT_THAT(index.error().message, HasSubstr("expected the folder of an index"));
}

}  // namespace
}  // namespace rr
