#include "rr/train/sft_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace rr {
namespace {

using ::testing::ElementsAre;

SftData data_of(const std::vector<std::size_t>& lengths) {
  SftData data;
  for (const std::size_t length : lengths) {
    data.examples.push_back({TokenIds(length, 1), 1, data.examples.size() + 1});
  }
  return data;
}

TEST(SftOrder, EveryEpochHasEveryExampleOnceWhereverStepsEnd) {
  const SftData data = data_of({5, 4, 3, 2, 6, 7, 8});
  for (const bool groups : {false, true}) {
    const SftOrder order(data, {.examples_per_step = 3, .groups_by_length = groups});
    std::vector<std::size_t> seen;
    for (std::size_t step = 1; step <= 14; ++step) {
      const auto examples = order.examples_of(step);
      EXPECT_EQ(examples.size(), 3u);
      seen.insert(seen.end(), examples.begin(), examples.end());
    }
    for (std::size_t epoch = 0; epoch < 6; ++epoch) {
      std::vector<std::size_t> part(seen.begin() + static_cast<std::ptrdiff_t>(7 * epoch),
                                    seen.begin() + static_cast<std::ptrdiff_t>(7 * epoch + 7));
      std::sort(part.begin(), part.end());
      EXPECT_THAT(part, ElementsAre(0, 1, 2, 3, 4, 5, 6));
    }
  }
}

TEST(SftOrder, DependsOnTheSeedAndTheEpochOnly) {
  const SftData data = data_of(std::vector<std::size_t>(40, 3));
  const SftOrder order(data, {.examples_per_step = 40, .seed = 1});
  const SftOrder again(data, {.examples_per_step = 40, .seed = 1});
  const SftOrder other(data, {.examples_per_step = 40, .seed = 2});
  EXPECT_EQ(order.examples_of(2), again.examples_of(2));
  EXPECT_NE(order.examples_of(1), order.examples_of(2));
  EXPECT_NE(order.examples_of(1), other.examples_of(1));
  const SftOrder plain(data, {.examples_per_step = 3, .shuffles = false});
  EXPECT_THAT(plain.examples_of(2), ElementsAre(3, 4, 5));
}

TEST(SftOrder, GroupsExamplesOfOneLength) {
  const SftData data = data_of({2, 9, 3, 8, 4, 7});
  const SftOrder order(data, {.examples_per_step = 2, .groups_by_length = true});
  EXPECT_THAT(order.examples_of(1), ElementsAre(1, 3));
  EXPECT_THAT(order.examples_of(3), ElementsAre(2, 0));
}

TEST(SftOrder, FillsRowsFirstFit) {
  const SftData data = data_of({5, 4, 20, 3, 6});
  const SftOrder order(data, {.examples_per_step = 5, .row_tokens = 10, .shuffles = false});
  EXPECT_THAT(order.rows_of(order.examples_of(1)),
              ElementsAre(ElementsAre(0, 1), ElementsAre(2), ElementsAre(3, 4)));
}

}  // namespace
}  // namespace rr
