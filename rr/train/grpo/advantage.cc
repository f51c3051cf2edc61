#include "rr/train/grpo/advantage.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>

namespace rr {

std::vector<double> group_advantages(std::span<const double> rewards, bool divides_by_deviation,
                                     double epsilon) {
  std::vector<double> advantages(rewards.size(), 0.0);
  // Rounding in the mean would leave a residue, and epsilon would scale it up.
  const bool are_equal =
      std::adjacent_find(rewards.begin(), rewards.end(), std::not_equal_to<>()) == rewards.end();
  if (are_equal) return advantages;
  const auto count = static_cast<double>(rewards.size());
  double mean = 0;
  for (const double reward : rewards) mean += reward / count;
  double squares = 0;
  for (const double reward : rewards) squares += (reward - mean) * (reward - mean);
  const double scale =
      divides_by_deviation ? 1 / (std::sqrt(squares / (count - 1)) + epsilon) : 1.0;
  std::transform(rewards.begin(), rewards.end(), advantages.begin(),
                 [&](double reward) { return (reward - mean) * scale; });
  return advantages;
}

}  // namespace rr
