#pragma once

#include <cstddef>
#include <optional>

namespace rr::internal {

// Seconds on a clock that only goes forward.
using Seconds = double;

// How one endpoint does: whether to send to it now, and how many requests it may have at once.
// Pure: the time comes in, nothing is waited for.
//
// Concurrency. While answers begin as soon as they did at best, or within twice that (and within
// 50 ms of it: below, noise is larger), the limit grows by one with each answer that came while it
// was reached: it doubles in a round trip. From the first time that the server said "too many", it
// grows by one in a round trip. "Too many" halves it, once for all requests that were under way
// then. The best is forgotten by a hundredth with each answer, so a slower server is accepted in
// time.
//
// Circuit breaker. After three failures in a row the endpoint rests for a second, after each
// further one twice as long up to half a minute, then may have one request: an answer closes the
// circuit.
class EndpointHealth {
 public:
  EndpointHealth(std::size_t first_concurrency, std::size_t most_concurrency);

  bool may_send(Seconds now) const;

  // When may_send() may become true without an answer coming in; nullopt: only an answer helps.
  std::optional<Seconds> next_chance(Seconds now) const;

  // After several failures in a row and not yet answered again.
  bool is_down() const { return failures_in_row_ >= kFailuresToOpen; }

  void sent();

  // Each request that was sent ends in one of these. first_byte_s, answer_s: from the sending.
  void answered(Seconds now, double first_byte_s, double answer_s);
  void busy(Seconds now, Seconds sent_at, std::optional<double> retry_after_s);  // 429, 503
  void failed(Seconds now);  // refused, broken off, 5xx: the endpoint's fault
  void ended();              // cancelled, or refused for the request's own fault
  void back();               // asked what it is, it said so: up again, though no answer came

  // For a server that was down from the start.
  void mark_down(Seconds now);

  // Expected time until an answer to one more request, relative to other endpoints; without
  // measurements `fallback_s` is taken for an answer's time.
  double expected_s(double fallback_s) const;

  std::size_t in_flight() const { return in_flight_; }
  std::size_t concurrency() const { return static_cast<std::size_t>(limit_); }
  std::optional<double> answer_s() const { return answer_s_; }
  std::size_t outages() const { return outages_; }

 private:
  static constexpr std::size_t kFailuresToOpen = 3;

  bool latency_holds() const;

  double limit_;
  double most_;
  std::size_t in_flight_ = 0;
  std::size_t growth_left_ = 0;  // answers still to come of those under way when it was full
  bool was_busy_ = false;        // the server has said "too many" before
  Seconds last_cut_ = -1;
  Seconds rests_until_ = -1;  // the server asked for it
  std::size_t failures_in_row_ = 0;
  Seconds open_until_ = -1;
  std::size_t outages_ = 0;
  std::optional<double> answer_s_;      // weighted towards the last ones
  std::optional<double> first_byte_s_;  // the same
  double best_first_byte_s_ = 0;
};

}  // namespace rr::internal
