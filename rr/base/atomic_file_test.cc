#include "rr/base/atomic_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "rr/base/file.h"
#include "tests/test_folder.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public ::testing::Test {
 protected:
  std::size_t num_entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(directory_), fs::directory_iterator()));
  }

  TestFolder directory_;
};

TEST_F(AtomicFileTest, AppearsOnlyWhenCommitted) {
  const fs::path path = directory_ / "out.trec";
  {
    auto file = AtomicFile::create(path);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->write("half").ok());
    EXPECT_FALSE(fs::exists(path));
  }
  EXPECT_EQ(num_entries(), 0u) << "a dropped file leaves nothing";

  ASSERT_TRUE(write_file(path, "whole").ok());
  EXPECT_EQ(read_file(path).value(), "whole");
  EXPECT_EQ(num_entries(), 1u);
}

TEST_F(AtomicFileTest, KeepsTheOldFileUntilTheCommit) {
  const fs::path path = directory_ / "out.trec";
  ASSERT_TRUE(write_file(path, "old").ok());
  auto file = AtomicFile::create(path);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->write("new").ok());
  EXPECT_EQ(read_file(path).value(), "old");
  ASSERT_TRUE(file->commit().ok());
  EXPECT_EQ(read_file(path).value(), "new");
}

TEST_F(AtomicFileTest, ReplacesTheTargetOfALink) {
  ASSERT_TRUE(write_file(directory_ / "real", "old").ok());
  fs::create_symlink("real", directory_ / "link");
  ASSERT_TRUE(write_file(directory_ / "link", "new").ok());
  EXPECT_TRUE(fs::is_symlink(directory_ / "link"));
  EXPECT_EQ(read_file(directory_ / "real").value(), "new");
}

TEST_F(AtomicFileTest, SaysWhereItCannotWrite) {
  const auto missing = AtomicFile::create(directory_ / "none" / "out.trec");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().where.find("out.trec"), std::string::npos);
  EXPECT_FALSE(AtomicFile::create(directory_).ok()) << "a directory";
}

TEST_F(AtomicFileTest, AFullDiskIsAnError) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  auto file = AtomicFile::create("/dev/full");
  ASSERT_TRUE(file.ok());
  const bool written = file->write(std::string(1 << 20, 'x')).ok() && file->commit().ok();
  EXPECT_FALSE(written);
}

}  // namespace
}  // namespace rr
