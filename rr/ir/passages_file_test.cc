#include "rr/ir/passages_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "rr/ir/internal/test_file.h"

namespace rr {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

// "docid|text;" for each passage, or what went wrong.
std::string contents_of(std::span<const fs::path> paths) {
  const auto read = read_passages(paths);
  if (!read.ok()) return read.error().to_string();
  std::string contents;
  for (const Passage& passage : read->passages) {
    contents += passage.docid.str() + "|" + passage.text + ";";
  }
  return contents;
}

std::string contents_of(const fs::path& path) { return contents_of(std::array{path}); }

TEST(ReadPassages, ALineIsAPassageAndItsNumberTheDocid) {
  EXPECT_EQ(contents_of(TestFile("first\n\nthird\r\n{x", "a.txt").path()), "1|first;3|third;4|{x;");
  EXPECT_EQ(contents_of(TestFile("", "a.txt").path()), "");
}

TEST(ReadPassages, WithSeveralFilesTheDocidNamesTheFile) {
  const TestFile a("one\n", "a.txt");
  const TestFile b("two\n", "b.txt");
  EXPECT_EQ(contents_of(std::array{a.path(), b.path()}),
            a.path().string() + ":1|one;" + b.path().string() + ":1|two;");
  EXPECT_THAT(contents_of(std::array{a.path(), a.path()}),
              HasSubstr("a.txt:1: expected each document once"));
}

TEST(ReadPassages, JsonlKeepsItsDocidsOrGetsLineNumbers) {
  EXPECT_EQ(
      contents_of(
          TestFile("{\"id\": \"x\", \"contents\": \"a\"}\n{\"text\": \"b\"}\n", "a.jsonl").path()),
      "x|a;2|b;");
  EXPECT_THAT(contents_of(TestFile("{\"id\": \"x\"", "a.jsonl").path()),
              HasSubstr("a.jsonl:1: expected JSON"));
}

TEST(ReadPassages, StandardInputIsToldByItsFirstLine) {
  const auto from_stdin = [](std::string_view text) {
    const TestFile file(text);
    const int saved = ::dup(STDIN_FILENO);
    EXPECT_NE(std::freopen(file.path().c_str(), "r", stdin), nullptr);
    const std::string contents = contents_of(fs::path("-"));
    ::dup2(saved, STDIN_FILENO);
    ::close(saved);
    return contents;
  };
  EXPECT_EQ(from_stdin("one\ntwo\n"), "1|one;2|two;");
  EXPECT_EQ(from_stdin("{\"id\": \"x\", \"text\": \"a\"}\n"), "x|a;");
  EXPECT_EQ(from_stdin("{ of braces }\n"), "1|{ of braces };");
}

TEST(ReadPassages, CountsRepairedText) {
  const TestFile file("a\xFF\n", "a.txt");
  EXPECT_EQ(read_passages(std::array{file.path()}).value().repaired_utf8, 1u);
}

}  // namespace
}  // namespace rr
