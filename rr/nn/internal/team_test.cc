#include "rr/nn/internal/team.h"

#include <gtest/gtest.h>

#include <latch>
#include <numeric>
#include <vector>

namespace rr::internal {
namespace {

TEST(Team, RunsEveryPartOfEveryStepOnceAndInOrder) {
  ThreadPool pool(3);
  Team team(pool);
  for (std::size_t run = 0; run < 20; ++run) {
    // Step s adds up what the step before it left: any part that runs early, late or twice shows.
    std::vector<std::size_t> sums(300, 0);
    std::vector<std::size_t> parts(64);
    std::iota(parts.begin(), parts.end(), std::size_t{1});
    team.run([&](Team::Member& member) {
      for (std::size_t s = 0; s < sums.size(); ++s) {
        member.for_parts(s % parts.size(), [&](std::size_t part) { ++parts[part]; });
        member.for_parts(1, [&](std::size_t) {
          sums[s] = std::accumulate(parts.begin(), parts.end(), std::size_t{0});
        });
      }
    });
    std::size_t expected = 64 * 65 / 2;
    for (std::size_t s = 0; s < sums.size(); ++s) {
      expected += s % parts.size();
      ASSERT_EQ(sums[s], expected) << "step " << s << " of run " << run;
    }
  }
}

TEST(Team, DoesNotWaitForAThreadThatHoldsNoPart) {
  ThreadPool pool(3);
  Team team(pool);
  std::latch others_are_done(2);
  std::size_t num_parts_done = 0;
  team.run([&](Team::Member& member) {
    const auto come_late = [&] {
      if (member.index() == 1) others_are_done.wait();  // for ever, if these waited for this one
    };
    for (std::size_t step = 0; step < 50; ++step) {
      if (step == 10) come_late();
      member.for_parts(1, [&](std::size_t) { ++num_parts_done; });
    }
    if (member.index() != 1) others_are_done.count_down();
  });
  EXPECT_EQ(num_parts_done, 50u);
}

TEST(Team, PreparesAMemberOnceAStepAndOnlyForParts) {
  ThreadPool pool(4);
  Team team(pool);
  std::vector<std::size_t> prepared(team.size(), 0);
  std::vector<std::size_t> worked(team.size(), 0);
  team.run([&](Team::Member& member) {
    bool is_prepared = false;
    member.for_parts(
        1000,
        [&] {
          ++prepared[member.index()];
          is_prepared = true;
        },
        [&](std::size_t) {
          EXPECT_TRUE(is_prepared);
          ++worked[member.index()];
        });
  });
  for (std::size_t m = 0; m < team.size(); ++m) EXPECT_EQ(prepared[m], worked[m] > 0 ? 1u : 0u);
  EXPECT_EQ(std::accumulate(worked.begin(), worked.end(), std::size_t{0}), 1000u);
}

}  // namespace
}  // namespace rr::internal
