#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace rr {

// An order of `count` things for ever: every epoch has all of them once, shuffled by seed, `what`
// and the epoch's number, or as they are.
class EpochOrder {
 public:
  EpochOrder(std::string what, std::size_t count, bool shuffles, std::uint64_t seed);

  std::size_t size() const { return count_; }

  // The things of an epoch, from 0.
  std::vector<std::size_t> epoch(std::size_t number) const;

  // The things of a step, from 1, which takes `per_step`, without regard to where an epoch ends.
  struct Place {
    std::size_t epoch;
    std::size_t thing;
  };
  std::vector<Place> of_step(std::size_t step, std::size_t per_step) const;

 private:
  std::string what_;
  std::size_t count_;
  bool shuffles_;
  std::uint64_t seed_;
};

}  // namespace rr
