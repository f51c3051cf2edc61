#include "rr/rerank/window.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include <string>

namespace rr {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// "(80,100) (70,90)": windows as the specification's table writes them.
std::string text_of(const std::vector<Window>& windows) {
  std::string text;
  for (const Window& w : windows) {
    text += fmt::format("{}({},{})", text.empty() ? "" : " ", w.start, w.end);
  }
  return text;
}

std::string ours(std::size_t n, LoopOptions options) {
  return text_of(SlidingWindows(options).plan(n));
}
std::string published(std::size_t n, LoopOptions options) {
  return text_of(PublishedLoop(options).plan(n));
}

constexpr const char* kNineWindows =
    "(80,100) (70,90) (60,80) (50,70) (40,60) (30,50) (20,40) (10,30) (0,20)";

TEST(Windows, BothLoopsGiveTheTableOfThePublishedSystem) {
  const std::string w10 =
      "(90,100) (85,95) (80,90) (75,85) (70,80) (65,75) (60,70) (55,65) (50,60) (45,55) "
      "(40,50) (35,45) (30,40) (25,35) (20,30) (15,25) (10,20) (5,15) (0,10)";
  struct Row {
    std::size_t n, window, stride;
    std::string windows;
  };
  const Row rows[] = {
      {100, 20, 10, kNineWindows},
      {100, 10, 5, w10},
      {95, 20, 10, "(75,95) (65,85) (55,75) (45,65) (35,55) (25,45) (15,35) (5,25) (0,15)"},
      {25, 20, 10, "(5,25) (0,15)"},
      {21, 20, 10, "(1,21) (0,11)"},
      {100, 20, 15, "(80,100) (65,85) (50,70) (35,55) (20,40) (5,25) (0,10)"},
      {100, 20, 20, "(80,100) (60,80) (40,60) (20,40) (0,20)"},
      {0, 20, 10, ""},
  };
  for (const Row& row : rows) {
    const LoopOptions options{.window = row.window, .stride = row.stride};
    EXPECT_EQ(ours(row.n, options), row.windows) << row.n;
    EXPECT_EQ(published(row.n, options), row.windows) << row.n;
  }
}

TEST(Windows, AListOfAtMostOneWindowIsOneWindow) {
  for (std::size_t n = 1; n <= 20; ++n) {
    const std::string whole = fmt::format("(0,{})", n);
    EXPECT_EQ(ours(n, {}), whole);
    EXPECT_EQ(published(n, {}), whole);
  }
}

TEST(Windows, PublishedLoopRanksNothingWhereTheRangeIsWindowMinusStride) {
  for (std::size_t depth = 1; depth < 20; ++depth) {
    const std::string expected = depth == 10 ? "" : fmt::format("(0,{})", depth);
    EXPECT_EQ(published(100, {.rank_end = depth}), expected);
    EXPECT_EQ(ours(100, {.rank_end = depth}), fmt::format("(0,{})", depth));
  }
}

TEST(Windows, PublishedLoopLeavesGapsWhereTheStrideIsWider) {
  EXPECT_EQ(published(100, {.window = 10, .stride = 20}),
            "(90,100) (70,80) (50,60) (30,40) (10,20)");
}

TEST(Windows, PublishedPassesSkipTheHeadAndOursDoNot) {
  const LoopOptions three{.passes = 3};
  const std::string second = " (80,100) (70,90) (60,80) (50,70) (40,60) (30,50) (20,40) (10,30)";
  const std::string third = " (80,100) (70,90) (60,80) (50,70) (40,60) (30,50) (20,40)";
  EXPECT_EQ(published(100, three), kNineWindows + second + third);
  EXPECT_EQ(ours(100, three), fmt::format("{0} {0} {0}", kNineWindows));
  EXPECT_EQ(ours(5, {.passes = 2}), "(0,5) (0,5)");
  for (std::size_t n = 1; n <= 20; ++n) {
    EXPECT_EQ(PublishedLoop({.passes = 2}).plan(n).size(), 1u) << n;
  }
}

TEST(Windows, SayWhichPassTheyBelongTo) {
  const std::vector<Window> windows = SlidingWindows({.passes = 2}).plan(25);
  ASSERT_EQ(windows.size(), 4u);
  EXPECT_EQ(windows[1], (Window{0, 15, 0}));
  EXPECT_EQ(windows[2], (Window{5, 25, 1}));
}

TEST(Windows, StayInsideTheRanksToRerank) {
  EXPECT_EQ(ours(100, {.rank_start = 5, .rank_end = 30}), "(10,30) (5,20)");
  EXPECT_EQ(ours(100, {.rank_start = 5, .rank_end = 12}), "(5,12)");
  EXPECT_THAT(SlidingWindows({.rank_start = 7}).plan(7), IsEmpty());
  EXPECT_THAT(PublishedLoop({.rank_start = 7}).plan(7), IsEmpty());
}

RC_GTEST_PROP(SlidingWindows, SeeEveryRankOfTheRangeInEveryPass, ()) {
  LoopOptions options;
  options.window = *rc::gen::inRange<std::size_t>(1, 40);
  options.stride = *rc::gen::inRange<std::size_t>(1, options.window + 1);
  options.rank_start = *rc::gen::inRange<std::size_t>(0, 30);
  options.rank_end = *rc::gen::inRange<std::size_t>(options.rank_start + 1, 150);
  options.passes = *rc::gen::inRange<std::size_t>(1, 4);
  const auto n = *rc::gen::inRange<std::size_t>(0, 150);
  std::vector<std::size_t> seen(n, 0);
  for (const Window& window : SlidingWindows(options).plan(n)) {
    RC_ASSERT(window.start < window.end);
    RC_ASSERT(window.size() <= options.window);
    for (std::size_t rank = window.start; rank < window.end; ++rank) ++seen.at(rank);
  }
  for (std::size_t rank = 0; rank < n; ++rank) {
    const bool inside = rank >= options.rank_start && rank < options.rank_end;
    RC_ASSERT((inside ? seen[rank] >= options.passes : seen[rank] == 0));
  }
}

RC_GTEST_PROP(PublishedLoop, PlansNonEmptyWindowsInsideTheListWhateverTheOptions, ()) {
  LoopOptions options;
  options.window = *rc::gen::inRange<std::size_t>(1, 40);
  options.stride = *rc::gen::inRange<std::size_t>(1, 60);
  options.rank_start = *rc::gen::inRange<std::size_t>(0, 50);
  options.rank_end = *rc::gen::inRange<std::size_t>(0, 150);
  options.passes = *rc::gen::inRange<std::size_t>(1, 4);
  const auto n = *rc::gen::inRange<std::size_t>(0, 150);
  for (const Window& window : PublishedLoop(options).plan(n)) {
    RC_ASSERT(window.start < window.end);
    RC_ASSERT(window.end <= n);
  }
}

TEST(MakeWindowPlanner, RefusesOptionsThatItsRuleCannotFollow) {
  const auto message = [](const LoopOptions& options) {
    const auto planner = make_window_planner(options);
    return planner.ok() ? std::string() : planner.error().to_string();
  };
  EXPECT_THAT(message({.window = 10, .stride = 20}), HasSubstr("stride 20 and window 10"));
  EXPECT_THAT(message({.rank_end = 0}), HasSubstr("depth"));
  EXPECT_THAT(message({.window = 0}), HasSubstr("window"));
  EXPECT_THAT(message({.stride = 0}), HasSubstr("stride"));
  EXPECT_THAT(message({.passes = 0}), HasSubstr("pass"));
  EXPECT_EQ(message({.window = 10, .stride = 20, .rule = LoopRule::kPublished}), "");
}

TEST(MakeWindowPlanner, FollowsTheRule) {
  EXPECT_EQ(make_window_planner({.rank_end = 10}).value()->plan(100).size(), 1u);
  EXPECT_EQ(
      make_window_planner({.rank_end = 10, .rule = LoopRule::kPublished}).value()->plan(100).size(),
      0u);
}

}  // namespace
}  // namespace rr
