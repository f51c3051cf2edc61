#include "rr/train/work_share.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <numeric>

#include "rr/base/random.h"
#include "rr/ranks/thread_ranks.h"

namespace rr {
namespace {

using ::testing::ElementsAre;

std::vector<std::vector<std::size_t>> shares(std::size_t num_ranks,
                                             const std::vector<std::size_t>& costs) {
  std::vector<std::vector<std::size_t>> all(num_ranks);
  run_thread_ranks(num_ranks, [&](Ranks& ranks) { all[ranks.rank()] = share_of(ranks, costs); });
  return all;
}

TEST(WorkShare, GivesTheCostliestFirstToWhoHasLeast) {
  // 9 to the first, 7 to the second, 6 to the second (13), 5 to the first (14), 2 to the second.
  EXPECT_THAT(shares(2, {5, 9, 2, 7, 6}), ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3, 4)));
  EXPECT_THAT(shares(1, {5, 9, 2}), ElementsAre(ElementsAre(0, 1, 2)));
  EXPECT_THAT(shares(3, {4}), ElementsAre(ElementsAre(0), ElementsAre(), ElementsAre()));
}

TEST(WorkShare, TakesEveryPieceOnceAndOverloadsNobody) {
  RandomStream random(5, 5);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::size_t> costs(1 + random.below(40));
    for (std::size_t& cost : costs) cost = 1 + random.below(1000);
    const std::size_t num_ranks = 1 + random.below(5);
    std::vector<std::size_t> taken;
    const double total = static_cast<double>(std::accumulate(costs.begin(), costs.end(), 0U));
    for (const std::vector<std::size_t>& share : shares(num_ranks, costs)) {
      EXPECT_TRUE(std::is_sorted(share.begin(), share.end()));
      double load = 0;
      for (const std::size_t piece : share) load += static_cast<double>(costs[piece]);
      EXPECT_LE(load, total / static_cast<double>(num_ranks) +
                          static_cast<double>(*std::max_element(costs.begin(), costs.end())));
      taken.insert(taken.end(), share.begin(), share.end());
    }
    std::sort(taken.begin(), taken.end());
    std::vector<std::size_t> all(costs.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    EXPECT_EQ(taken, all);
  }
}

}  // namespace
}  // namespace rr
