#include "rr/bm25/index.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <map>

#include "rr/base/clock.h"
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
  const auto report = build_index(folder.write("corpus.jsonl", corpus), folder / "idx", {});
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

// Every file by its path in the index.
std::map<std::string, std::string> files_of(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    files[entry.path().lexically_relative(folder).string()] = read_file(entry.path()).value();
  }
  return files;
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
  EXPECT_TRUE(files_of(folder / "a") == files_of(folder / "b"));
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
  folder.write("idx.building/spill.0", "left over");
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
  folder.write("idx/thesis.txt", "years of work");
  EXPECT_FALSE(build_index(folder / "corpus.jsonl", folder / "idx", {}).ok());
  EXPECT_TRUE(fs::exists(folder / "idx/thesis.txt"));
}

// Documents of few words, so that queries find many and tie often.
std::vector<TestDocument> tying_documents(std::size_t count, std::uint64_t seed) {
  RandomStream random(seed, 0);
  std::vector<TestDocument> documents;
  for (std::size_t i = 0; i < count; ++i) {
    std::string text;
    for (std::uint64_t j = random.below(12); j-- > 0;) {
      text += fmt::format("w{} ", random.below(1 + random.below(60)));
    }
    documents.push_back({fmt::format("d{}", random.below(1000000) * 1000 + i), text});
  }
  return documents;
}

// All that searches give, to the last bit.
std::string search_all_words(const fs::path& folder) {
  const Index index = Index::open(folder).value();
  std::string text;
  for (const bool query_side : {false, true}) {
    const Searcher searcher(index, {.query_side = query_side});
    for (int word = 0; word < 60; word += 3) {
      const std::string query = fmt::format("w{} w{} w{} w{}", word, word / 2, word / 3, word / 5);
      const auto result = searcher.search(query, 50).value();
      text += fmt::format("{} of {}:", result.unknown_terms, result.num_terms);
      for (const Hit& hit : result.hits) {
        text += fmt::format(" {} {} {:a}", hit.doc, index.docid(hit.doc), hit.score);
      }
      text += "\n";
    }
  }
  return text;
}

std::string describe(const IndexStatistics& statistics) {
  return fmt::format("{} {} {} {} {}", statistics.num_documents, statistics.num_nonempty,
                     statistics.num_terms, statistics.total_terms, statistics.num_postings);
}

TEST(AddToIndex, FindsWhatAnIndexMadeInOneGoFindsAndMergesIntoIt) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    const TestFolder folder;
    RandomStream random(seed, 1);
    const auto documents = tying_documents(1 + random.below(3000), seed);
    write_corpus(folder / "all.jsonl", documents);
    ASSERT_TRUE(build_index(folder / "all.jsonl", folder / "all", {}).ok());
    std::size_t begin = 0;
    for (std::size_t num_parts = 0; begin < documents.size(); ++num_parts) {
      const std::size_t end = std::min(documents.size(), begin + 1 + random.below(1200));
      write_corpus(folder / "part.jsonl", {documents.begin() + static_cast<std::ptrdiff_t>(begin),
                                           documents.begin() + static_cast<std::ptrdiff_t>(end)});
      const auto added = num_parts == 0 ? build_index(folder / "part.jsonl", folder / "idx", {})
                                        : add_to_index(folder / "part.jsonl", folder / "idx", {});
      ASSERT_TRUE(added.ok()) << added.error().to_string();
      EXPECT_EQ(added->num_added, end - begin);
      EXPECT_EQ(added->num_segments, num_parts + 1);
      begin = end;
    }
    const Index index = Index::open(folder / "idx").value();
    EXPECT_EQ(describe(index.statistics()), describe(Index::open(folder / "all")->statistics()));
    EXPECT_EQ(search_all_words(folder / "idx"), search_all_words(folder / "all"));
    for (std::uint32_t doc = 0; doc < documents.size(); doc += 7) {
      EXPECT_EQ(index.find(documents[doc].docid), doc);
      EXPECT_EQ(index.passage(doc)->text, documents[doc].text);
    }
    ASSERT_TRUE(merge_index(folder / "idx", {}).ok());
    EXPECT_TRUE(files_of(folder / "idx") == files_of(folder / "all"));
  }
}

TEST(AddToIndex, LeavesTheIndexAsItWasWhereItRefuses) {
  const TestFolder folder;
  write_corpus(folder / "corpus.jsonl", kDocuments);
  write_corpus(folder / "more.jsonl", {{"4", "new"}, {"2", "known"}});
  const auto add = [&] {
    const auto added = add_to_index(folder / "more.jsonl", folder / "idx", {});
    EXPECT_FALSE(fs::exists(folder / "idx.building"));
    return added.ok() ? "" : added.error().to_string();
  };
  EXPECT_THAT(add(), HasSubstr("expected the folder of an index"));
  ASSERT_TRUE(build_index(folder / "corpus.jsonl", folder / "idx", {}).ok());
  const auto before = files_of(folder / "idx");
  EXPECT_THAT(add(), HasSubstr("more.jsonl: expected new documents, found \"2\""));
  write_corpus(folder / "more.jsonl", {});
  EXPECT_THAT(add(), HasSubstr("expected at least one passage"));
  fs::create_directories(folder / "idx.building");
  const int other = ::open((folder / "idx.building").c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  EXPECT_THAT(add_to_index(folder / "corpus.jsonl", folder / "idx", {}).error().message,
              HasSubstr("another process is building this index"));
  EXPECT_FALSE(merge_index(folder / "idx", {}).ok());
  ::close(other);
  EXPECT_TRUE(files_of(folder / "idx") == before);
}

// Kills a process that adds to an index at all moments of its work, and looks at what is left.
TEST(AddToIndex, LeavesTheOldOrTheNewIndexWholeWhereItIsKilled) {
  const TestFolder folder;
  write_corpus(folder / "corpus.jsonl", tying_documents(3000, 1));
  write_corpus(folder / "more.jsonl", many_documents(3000));
  ASSERT_TRUE(build_index(folder / "corpus.jsonl", folder / "old", {}).ok());
  fs::copy(folder / "old", folder / "new", fs::copy_options::recursive);
  const Clock::time_point start = Clock::now();
  ASSERT_TRUE(add_to_index(folder / "more.jsonl", folder / "new", {}).ok());
  const double whole_s = seconds_since(start);
  const auto old_files = files_of(folder / "old");
  const auto new_files = files_of(folder / "new");
  RandomStream random(9, 0);
  for (int i = 0; i < 25; ++i) {
    fs::remove_all(folder / "idx");
    fs::copy(folder / "old", folder / "idx", fs::copy_options::recursive);
    const pid_t child = ::fork();
    if (child == 0) {
      static_cast<void>(
          add_to_index(folder / "more.jsonl", folder / "idx", {.num_threads = 1}).ok());
      ::_exit(0);
    }
    ::usleep(
        static_cast<useconds_t>(random.below(1 + static_cast<std::uint64_t>(whole_s * 1.2e6))));
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    const auto left = files_of(folder / "idx");
    EXPECT_TRUE(left == old_files || left == new_files);
    EXPECT_TRUE(Index::open(folder / "idx").ok());
  }
  fs::remove_all(folder / "idx");
  fs::copy(folder / "old", folder / "idx", fs::copy_options::recursive);
  ASSERT_TRUE(add_to_index(folder / "more.jsonl", folder / "idx", {}).ok());
  EXPECT_TRUE(files_of(folder / "idx") == new_files);
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

  fs::path file(const std::string& name) const {
    return folder_ / (name == "header.json" ? "idx/header.json" : "idx/segment.0/" + name);
  }

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
  header.replace(header.find("\"version\":3"), 11, "\"version\":2");
  ASSERT_TRUE(write_file(file("header.json"), header).ok());
  EXPECT_THAT(open_error(), HasSubstr("expected an index of version 3, found version 2"));
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
      const internal::Segment& segment = files->segments().front();
      const auto term = segment.find_term(fmt::format("t{}", t));
      if (term) static_cast<void>(segment.postings_of(*term));
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
