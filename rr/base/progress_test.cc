#include "rr/base/progress.h"

#include <gtest/gtest.h>

namespace rr {
namespace {

TEST(Progress, SaysHowFarAndHowLong) {
  // 30 s for 10 of 40: 90 s for the other 30.
  EXPECT_EQ(progress_line("reranking", 10, 40, "topics", 30, ""),
            "reranking  10/40 topics  0:30, 1:30 left");
  EXPECT_EQ(progress_line("reading", 5, 0, "lines", 3700, "x"), "reading  5 lines  1:01:40  x");
}

TEST(Progress, IsSilentInAPipe) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  {
    Progress progress("work", 2, "steps", file);
    progress.update(1);
  }
  EXPECT_EQ(std::ftell(file), 0);
  std::fclose(file);
}

}  // namespace
}  // namespace rr
