#include "rr/base/folder_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>

namespace rr {
namespace {

namespace fs = std::filesystem;

class FolderLocks : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              ("rr-lock-" + std::to_string(::getpid()) + "-" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
};

TEST_F(FolderLocks, OneAtATimeHoldsAFolder) {
  std::optional<Result<FolderLock>> first = FolderLock::take(folder_, "held");
  ASSERT_TRUE(first->ok());
  const auto second = FolderLock::take(folder_, "held");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().message, "held");
  EXPECT_EQ(second.error().where, folder_.string());
  first.reset();
  EXPECT_TRUE(FolderLock::take(folder_, "held").ok());
}

TEST_F(FolderLocks, WaitsForItsTurn) {
  std::optional<FolderLock> first = FolderLock::wait_for(folder_);
  std::atomic<bool> is_released = false;
  std::atomic<bool> was_released = false;
  std::thread other([&] {
    const FolderLock lock = FolderLock::wait_for(folder_);
    was_released = is_released.load();
  });
  is_released = true;
  first.reset();
  other.join();
  EXPECT_TRUE(was_released);
}

TEST_F(FolderLocks, SaysWhatCannotBeOpened) {
  const auto missing = FolderLock::take(folder_ / "not there", "held");
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.error().message, testing::HasSubstr("cannot be opened: No such file"));
  FolderLock::wait_for(folder_ / "not there");  // holds nothing, and does not wait
}

}  // namespace
}  // namespace rr
