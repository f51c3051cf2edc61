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

std::vector<EpochOrder::Place> EpochOrder::of_step(std::size_t step, std::size_t per_step) const {
  RR_CHECK(step >= 1, "steps count from 1");
  std::vector<Place> places;
  std::vector<std::size_t> order;
  std::size_t position = (step - 1) * per_step;
  for (std::size_t i = 0; i < per_step; ++i, ++position) {
    if (order.empty() || position % count_ == 0) order = epoch(position / count_);
    places.push_back({position / count_, order[position % count_]});
  }
  return places;
}

}  // namespace rr
