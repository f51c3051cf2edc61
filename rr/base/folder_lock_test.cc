#include "rr/base/folder_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

#include "tests/test_folder.h"

namespace rr {
namespace {

TEST(FolderLocks, OneAtATimeHoldsAFolder) {
  const TestFolder folder;
  std::optional<Result<FolderLock>> first = FolderLock::take(folder, "held");
  ASSERT_TRUE(first->ok());
  const auto second = FolderLock::take(folder, "held");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().message, "held");
  EXPECT_EQ(second.error().where, folder.path().string());
  first.reset();
  EXPECT_TRUE(FolderLock::take(folder, "held").ok());
}

TEST(FolderLocks, WaitsForItsTurn) {
  const TestFolder folder;
  std::optional<FolderLock> first = FolderLock::wait_for(folder);
  std::atomic<bool> is_released = false;
  std::atomic<bool> was_released = false;
  std::thread other([&] {
    const FolderLock lock = FolderLock::wait_for(folder);
    was_released = is_released.load();
  });
  is_released = true;
  first.reset();
  other.join();
  EXPECT_TRUE(was_released);
}

TEST(FolderLocks, SaysWhatCannotBeOpened) {
  const TestFolder folder;
  const auto missing = FolderLock::take(folder / "not there", "held");
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.error().message, testing::HasSubstr("cannot be opened: No such file"));
  FolderLock::wait_for(folder / "not there");  // holds nothing, and does not wait
}

}  // namespace
}  // namespace rr
