#include "rr/base/machine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>

namespace rr {
namespace {

TEST(FreeMemory, IsWhatTheSystemHasAtMost) {
  std::ifstream file("/proc/meminfo");
  std::string name;
  std::size_t kilobytes = 0;
  file >> name >> kilobytes;
  ASSERT_EQ(name, "MemTotal:");
  EXPECT_GT(free_memory(), 1u << 20);
  EXPECT_LE(free_memory(), kilobytes * 1024);
}

TEST(UsableCores, AreOneAtLeastAndNotMoreThanThereAre) {
  EXPECT_GE(usable_cores(), 1u);
  EXPECT_LE(usable_cores(), std::max(1u, std::thread::hardware_concurrency()));
}

TEST(BytesForPeople, TakesTheUnitThatFits) {
  EXPECT_EQ(bytes_for_people(0), "0 B");
  EXPECT_EQ(bytes_for_people(1023), "1023 B");
  EXPECT_EQ(bytes_for_people(1536), "1.5 KiB");
  EXPECT_EQ(bytes_for_people(std::size_t{12} << 30), "12.0 GiB");
}

}  // namespace
}  // namespace rr
