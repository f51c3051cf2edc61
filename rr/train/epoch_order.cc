#include "rr/train/epoch_order.h"

#include <fmt/core.h>

#include <numeric>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/random.h"

namespace rr {

EpochOrder::EpochOrder(std::string what, std::size_t count, bool shuffles, std::uint64_t seed)
    : what_(std::move(what)), count_(count), shuffles_(shuffles), seed_(seed) {
  RR_CHECK(count >= 1, "an order needs something to order");
}

std::vector<std::size_t> EpochOrder::epoch(std::size_t number) const {
  std::vector<std::size_t> order(count_);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (!shuffles_) return order;
  RandomStream random(seed_, stream_of(fmt::format("{} epoch {}", what_, number)));
  shuffle(order, random);
  return order;
}

std::vector<EpochOrder::Place> EpochOrder::take(std::size_t first, std::size_t count,
                                                const Arrange& arrange) const {
  std::vector<Place> places;
  std::vector<std::size_t> things;
  for (std::size_t i = first; i < first + count; ++i) {
    if (things.empty() || i % count_ == 0) {
      things = epoch(i / count_);
      if (arrange) arrange(things);
    }
    places.push_back({i / count_, things[i % count_]});
  }
  return places;
}

}  // namespace rr
