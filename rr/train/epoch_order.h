#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace rr {

// An order of `count` things for ever: every epoch has all of them once, shuffled by seed, `what`
// and the epoch's number, or as they are.
class EpochOrder {
 public:
  EpochOrder(std::string what, std::size_t count, bool shuffles, std::uint64_t seed);

  std::size_t size() const { return count_; }

  // The things at places first, first + 1, ... of the whole order, from 0, with their epochs.
  // `arrange`, where given, puts the things of an epoch into another order.
  struct Place {
    std::size_t epoch;
    std::size_t thing;
  };
  using Arrange = std::function<void(std::vector<std::size_t>& things)>;
  std::vector<Place> take(std::size_t first, std::size_t count, const Arrange& arrange = {}) const;

 private:
  std::vector<std::size_t> epoch(std::size_t number) const;

  std::string what_;
  std::size_t count_;
  bool shuffles_;
  std::uint64_t seed_;
};

}  // namespace rr
