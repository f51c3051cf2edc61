#include "rr/lm_local/internal/drafter.h"

#include <algorithm>

#include "rr/base/check.h"

namespace rr::internal {

TokenIds Drafter::propose(std::span<const TokenId> prompt, std::span<const TokenId> completion,
                          std::size_t most) {
  num_written_ = completion.size();
  if (num_written_ < rests_until_ || most == 0) return {};
  read_up(prompt, completion);
  return lookup_->propose(std::min(most, length_));
}

void Drafter::read_up(std::span<const TokenId> prompt, std::span<const TokenId> completion) {
  if (!lookup_) {
    lookup_.emplace();
    for (std::size_t i = 0; earlier_ != nullptr && i < earlier_->size(); ++i) {
      for (const TokenId id : (*earlier_)[i]) lookup_->add(id);
      lookup_->begin_text();
    }
  }
  for (; num_looked_up_ < prompt.size() + completion.size(); ++num_looked_up_) {
    const std::size_t i = num_looked_up_;
    lookup_->add(i < prompt.size() ? prompt[i] : completion[i - prompt.size()]);
  }
}

void Drafter::learn(std::size_t num_drafted, std::size_t num_right, double cost) {
  RR_CHECK(num_right <= num_drafted, "only what was drafted can be right");
  num_written_ += num_right;
  length_ = num_right == num_drafted ? std::min(2 * length_, kLongest)
                                     : std::max<std::size_t>(1, (length_ + num_right) / 2);
  const double gain = static_cast<double>(num_right) - cost * static_cast<double>(num_drafted);
  credit_ = std::min(credit_ + gain, kMostWasted);
  if (gain > 0) rest_ = kShortestRest;
  if (credit_ <= 0) rest(cost);
}

void Drafter::rest(double cost) {
  rests_until_ = num_written_ + rest_;
  rest_ = std::min(2 * rest_, kLongestRest);
  length_ = kTrial;
  credit_ = cost * static_cast<double>(kTrial) / 2;
}

}  // namespace rr::internal
