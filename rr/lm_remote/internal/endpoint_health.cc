#include "rr/lm_remote/internal/endpoint_health.h"

#include <algorithm>
#include <cmath>

#include "rr/base/check.h"

namespace rr::internal {
namespace {

constexpr double kNewWeight = 0.1;     // of a measurement in its running mean
constexpr double kToleratedRatio = 2;  // of the best time to a first byte
constexpr double kToleratedExtra_s = 0.05;
constexpr double kForgetting = 1.01;
constexpr double kFirstRest_s = 1;
constexpr double kMostRest_s = 30;

void blend(std::optional<double>& mean, double value) {
  mean = mean ? *mean + kNewWeight * (value - *mean) : value;
}

}  // namespace

EndpointHealth::EndpointHealth(std::size_t first_concurrency, std::size_t most_concurrency)
    : limit_(static_cast<double>(
          std::max<std::size_t>(1, std::min(first_concurrency, most_concurrency)))),
      most_(static_cast<double>(std::max<std::size_t>(1, most_concurrency))) {}

bool EndpointHealth::may_send(Seconds now) const {
  if (now < rests_until_ || now < open_until_) return false;
  if (is_down()) return in_flight_ == 0;  // one request to try it
  return static_cast<double>(in_flight_) + 1 <= limit_;
}

std::optional<Seconds> EndpointHealth::next_chance(Seconds now) const {
  const Seconds until = std::max(rests_until_, open_until_);
  if (until > now) return until;
  return std::nullopt;
}

// Answers come in bunches, and the places that they leave are filled after all of them: what counts
// is that the limit was reached when they were sent.
void EndpointHealth::sent() {
  ++in_flight_;
  if (static_cast<double>(in_flight_) + 1 > limit_) growth_left_ = in_flight_;
}

bool EndpointHealth::latency_holds() const {
  return !first_byte_s_ || *first_byte_s_ <= kToleratedRatio * best_first_byte_s_ ||
         *first_byte_s_ <= best_first_byte_s_ + kToleratedExtra_s;
}

void EndpointHealth::answered(Seconds, double first_byte_s, double answer_s) {
  const bool was_full = growth_left_ > 0;
  if (was_full) --growth_left_;
  ended();
  failures_in_row_ = 0;
  blend(answer_s_, answer_s);
  blend(first_byte_s_, first_byte_s);
  const bool is_first = best_first_byte_s_ == 0;
  best_first_byte_s_ =
      is_first ? *first_byte_s_ : std::min(best_first_byte_s_ * kForgetting, *first_byte_s_);
  if (!was_full || !latency_holds()) return;
  limit_ = std::min(most_, limit_ + (was_busy_ ? 1 / limit_ : 1));
}

void EndpointHealth::busy(Seconds now, Seconds sent_at, std::optional<double> retry_after_s) {
  ended();
  if (retry_after_s) rests_until_ = std::max(rests_until_, now + *retry_after_s);
  was_busy_ = true;
  if (sent_at < last_cut_) return;  // under way when the limit was cut: says nothing new
  last_cut_ = now;
  limit_ = std::max(1.0, std::floor(limit_ / 2));
}

void EndpointHealth::failed(Seconds now) {
  ended();
  if (now < open_until_) return;  // one of those under way when the circuit opened
  const bool was_down = is_down();
  ++failures_in_row_;
  if (!is_down()) return;
  if (!was_down) ++outages_;
  const double doublings =
      std::min<double>(10, static_cast<double>(failures_in_row_ - kFailuresToOpen));
  open_until_ = now + std::min(kMostRest_s, kFirstRest_s * std::exp2(doublings));
}

void EndpointHealth::ended() {
  RR_CHECK(in_flight_ > 0, "each request ends once");
  --in_flight_;
}

void EndpointHealth::back() {
  ended();
  failures_in_row_ = 0;
}

void EndpointHealth::mark_down(Seconds now) {
  failures_in_row_ = kFailuresToOpen;
  open_until_ = now + kFirstRest_s;
  ++outages_;
}

double EndpointHealth::expected_s(double fallback_s) const {
  return (static_cast<double>(in_flight_) + 1) * answer_s_.value_or(fallback_s);
}

}  // namespace rr::internal
