#include "rr/base/file.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <vector>

#include "tests/test_folder.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

class FileTest : public ::testing::Test {
 protected:
  std::vector<std::string> lines_of(std::string_view bytes) {
    folder_.write("file", bytes);
    return read_lines();
  }

  std::vector<std::string> read_lines() {
    auto reader = LineReader::open(path_);
    EXPECT_TRUE(reader.ok());
    std::vector<std::string> lines;
    for (std::string line; reader->next(line).value();) lines.push_back(line);
    return lines;
  }

  TestFolder folder_;
  fs::path path_ = folder_ / "file";
};

using Lines = std::vector<std::string>;

TEST_F(FileTest, LinesEndInAnyOfTheUsualWays) {
  EXPECT_EQ(lines_of("a\nb\n"), (Lines{"a", "b"}));
  EXPECT_EQ(lines_of("a\r\nb\r\n"), (Lines{"a", "b"}));
  EXPECT_EQ(lines_of("a\nb"), (Lines{"a", "b"}));
  EXPECT_EQ(lines_of("a\n\nb\n"), (Lines{"a", "", "b"}));
  EXPECT_EQ(lines_of(""), Lines{});
  EXPECT_EQ(lines_of("\n"), (Lines{""}));
}

TEST_F(FileTest, AByteOrderMarkIsNoText) {
  EXPECT_EQ(lines_of("\xEF\xBB\xBF"
                     "a\n"),
            (Lines{"a"}));
  EXPECT_EQ(lines_of("a\n\xEF\xBB\xBF\xEF\xBB\xBF"
                     "b\n"),
            (Lines{"a", "b"}));
  EXPECT_EQ(lines_of("\xEF\xBB\xBF"), Lines{});
  EXPECT_EQ(lines_of("\xEF\xBB\xBF\n"), (Lines{""}));
}

TEST_F(FileTest, LinesMayBeLongerThanTheBuffer) {
  const std::string longline(1 << 20, 'x');
  EXPECT_EQ(lines_of(longline + "\n" + longline), (Lines{longline, longline}));
}

TEST_F(FileTest, ReadsGzipAndSeesWhereItIsCut) {
  gzFile file = gzopen(path_.c_str(), "wb");
  const std::string text = "first\nsecond\n" + std::string(1 << 18, 'y');
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  EXPECT_EQ(read_lines()[1], "second");
  EXPECT_EQ(read_file(path_).value(), text);

  fs::resize_file(path_, fs::file_size(path_) / 2);
  const auto cut = read_file(path_);
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.error().code, Errc::kMalformed);
}

TEST_F(FileTest, AMissingFileIsNamed) {
  const auto reader = LineReader::open("/nonexistent/run.trec");
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.error().code, Errc::kNotFound);
  EXPECT_EQ(reader.error().where, "/nonexistent/run.trec");
}

}  // namespace
}  // namespace rr
