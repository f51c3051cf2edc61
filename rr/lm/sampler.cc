#include "rr/lm/sampler.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "rr/base/check.h"
#include "rr/lm/internal/logit_loops.h"

namespace rr {
namespace {

float largest(std::span<const float> logits) {
  return internal::logit_loops().largest(logits.data(), logits.size());
}

struct Candidate {
  float logit;
  std::size_t place;
};

bool is_likelier(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.place < b.place;
}

// Probabilities relative to the most likely one: exp((logit - top) / temperature).
class Weights {
 public:
  Weights(float top, double temperature)
      : top_(top), inverse_(static_cast<float>(1 / temperature)) {}

  float top() const { return top_; }
  float of(float logit) const { return internal::logit_weight(logit, top_, inverse_); }

  // The sum of each block of kLogitBlock logits, without weights below `least`.
  std::vector<float> sums(std::span<const float> logits, float least = 0) const {
    std::vector<float> found((logits.size() + internal::kLogitBlock - 1) / internal::kLogitBlock);
    internal::logit_loops().sum_weights(logits.data(), logits.size(), top_, inverse_, least,
                                        found.data());
    return found;
  }

 private:
  float top_;
  float inverse_;
};

double total_of(const std::vector<float>& sums) {
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

// The most likely candidates, found a few at a time: asking for the next one sorts only as far as
// asked, and looks at logits far below the top only when the ones near it are used up.
class BestFirst {
 public:
  BestFirst(std::span<const float> logits, const Weights& weights, double temperature)
      : logits_(logits), top_(weights.top()), reach_(8 * temperature) {
    gather();
  }

  // The candidate of this rank, from 0. Requires rank < number of logits.
  const Candidate& at(std::size_t rank) {
    while (rank >= sorted_) sort_more();
    return candidates_[rank];
  }

 private:
  void gather() {
    const double lowest = static_cast<double>(top_) - reach_;
    candidates_.clear();
    for (std::size_t place = 0; place < logits_.size(); ++place) {
      if (logits_[place] >= lowest) candidates_.push_back({logits_[place], place});
    }
  }

  void sort_more() {
    if (sorted_ == candidates_.size()) {
      // What is sorted so far stays in front: everything new is less likely.
      reach_ = reach_ < 64 * static_cast<double>(std::numeric_limits<float>::max())
                   ? reach_ * 4
                   : std::numeric_limits<double>::infinity();
      gather();
      std::nth_element(candidates_.begin(),
                       candidates_.begin() + static_cast<std::ptrdiff_t>(sorted_),
                       candidates_.end(), is_likelier);
      std::sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(sorted_),
                is_likelier);
      if (sorted_ == candidates_.size()) return;
    }
    const std::size_t until = std::min(candidates_.size(), std::max<std::size_t>(64, 2 * sorted_));
    const auto begin = candidates_.begin() + static_cast<std::ptrdiff_t>(sorted_);
    const auto end = candidates_.begin() + static_cast<std::ptrdiff_t>(until);
    std::nth_element(begin, end, candidates_.end(), is_likelier);
    std::sort(begin, end, is_likelier);
    sorted_ = until;
  }

  std::span<const float> logits_;
  float top_;
  double reach_;  // candidates_ are the logits not further than this below the top
  std::vector<Candidate> candidates_;
  std::size_t sorted_ = 0;  // the first ones, best first
};

// A draw over all logits that min_p leaves, in their own order: nothing to sort. First its block,
// then its place there.
std::size_t draw_from_all(std::span<const float> logits, const Weights& weights, double min_p,
                          double uniform) {
  const auto least = static_cast<float>(min_p);
  const std::vector<float> sums = weights.sums(logits, least);
  double left = uniform * total_of(sums);
  std::size_t block = 0;
  for (std::size_t b = 0; b < sums.size(); ++b) {
    if (sums[b] == 0) continue;
    block = b;  // the last one, where rounding leaves some of the total to the end
    if (left < static_cast<double>(sums[b])) break;
    left -= static_cast<double>(sums[b]);
  }
  const std::size_t begin = block * internal::kLogitBlock;
  const std::size_t end = std::min(begin + internal::kLogitBlock, logits.size());
  std::size_t last = begin;
  for (std::size_t place = begin; place < end; ++place) {
    const float weight = weights.of(logits[place]);
    if (weight < least || weight == 0) continue;
    last = place;
    left -= static_cast<double>(weight);
    if (left < 0) break;
  }
  return last;
}

// Mass that top_p takes its share of: of the k most likely, or of all (k = number of logits).
double mass_of_best(std::span<const float> logits, const Weights& weights, BestFirst& best,
                    std::size_t k) {
  if (k == logits.size()) return total_of(weights.sums(logits));
  double mass = 0;
  for (std::size_t rank = 0; rank < k; ++rank) {
    mass += static_cast<double>(weights.of(best.at(rank).logit));
  }
  return mass;
}

std::size_t draw_from_best(std::span<const float> logits, const Weights& weights,
                           const Sampling& sampling, double uniform) {
  BestFirst best(logits, weights, sampling.temperature);
  const std::size_t k =
      sampling.top_k == 0 ? logits.size() : std::min(sampling.top_k, logits.size());
  const double share = sampling.top_p < 1 ? sampling.top_p * mass_of_best(logits, weights, best, k)
                                          : std::numeric_limits<double>::infinity();
  double nucleus = 0;  // mass so far, before min_p
  double total = 0;    // mass of what is left to draw from
  std::size_t kept = 0;
  for (std::size_t rank = 0; rank < k && nucleus < share; ++rank) {
    const auto weight = static_cast<double>(weights.of(best.at(rank).logit));
    nucleus += weight;
    if (weight < sampling.min_p || (weight == 0 && kept > 0)) break;  // so are all behind it
    total += weight;
    kept = rank + 1;
  }
  double left = uniform * total;
  for (std::size_t rank = 0; rank + 1 < kept; ++rank) {
    left -= static_cast<double>(weights.of(best.at(rank).logit));
    if (left < 0) return best.at(rank).place;
  }
  return best.at(kept - 1).place;
}

Error bad_option(const char* name, const char* range, double value) {
  return {Errc::kRejected, fmt::format("expected {} {}, found {}", name, range, value), ""};
}

}  // namespace

double log_sum_exp(std::span<const float> logits) {
  RR_CHECK(!logits.empty(), "a distribution needs outcomes");
  const float top = largest(logits);
  if (!std::isfinite(top)) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(top) + std::log(total_of(Weights(top, 1).sums(logits)));
}

Status check_sampling(const Sampling& sampling) {
  // Written so that NaN fails too.
  if (!(sampling.temperature >= 0 && std::isfinite(sampling.temperature))) {
    return bad_option("a temperature", "of 0 or more", sampling.temperature);
  }
  if (!(sampling.top_p > 0 && sampling.top_p <= 1)) {
    return bad_option("top_p", "above 0 and at most 1", sampling.top_p);
  }
  if (!(sampling.min_p >= 0 && sampling.min_p <= 1)) {
    return bad_option("min_p", "from 0 to 1", sampling.min_p);
  }
  return ok_status();
}

std::size_t choose(std::span<const float> logits, const Sampling& sampling, double uniform) {
  RR_CHECK(!logits.empty(), "nothing to choose from");
  // Below this every other logit's weight would underflow, or 1 / temperature overflow.
  constexpr double kSmallestTemperature = 1e-6;
  if (sampling.temperature < kSmallestTemperature) {
    return static_cast<std::size_t>(std::find(logits.begin(), logits.end(), largest(logits)) -
                                    logits.begin());
  }
  const Weights weights(largest(logits), sampling.temperature);
  if (sampling.top_k == 0 && sampling.top_p >= 1) {
    return draw_from_all(logits, weights, sampling.min_p, uniform);
  }
  return draw_from_best(logits, weights, sampling, uniform);
}

}  // namespace rr
