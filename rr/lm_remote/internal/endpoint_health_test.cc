#include "rr/lm_remote/internal/endpoint_health.h"

#include <gtest/gtest.h>

namespace rr::internal {
namespace {

// Sends as many as it may and answers all of them, each after `seconds`.
void one_round(EndpointHealth& health, Seconds now, double seconds) {
  std::size_t sent = 0;
  while (health.may_send(now)) {
    health.sent();
    ++sent;
  }
  for (std::size_t i = 0; i < sent; ++i) health.answered(now + seconds, seconds, seconds);
}

TEST(EndpointHealth, DoublesItsConcurrencyInARoundTripWhileLatencyHolds) {
  EndpointHealth health(4, 100);
  one_round(health, 0, 1);
  EXPECT_EQ(health.concurrency(), 8U);
  EndpointHealth kept_full(4, 100);
  for (int i = 0; i < 4; ++i) kept_full.sent();
  for (int i = 0; i < 4; ++i) {
    kept_full.answered(1, 1, 1);
    while (kept_full.may_send(1)) kept_full.sent();
  }
  EXPECT_EQ(kept_full.concurrency(), 8U);
}

TEST(EndpointHealth, StaysWhereItIsWhenAnswersBeginLater) {
  EndpointHealth health(4, 100);
  for (int i = 0; i < 20; ++i) one_round(health, i, 1);
  const std::size_t level = health.concurrency();
  for (int i = 0; i < 3; ++i) one_round(health, 20 + i, 10);
  EXPECT_LE(health.concurrency(), level + 1);
}

TEST(EndpointHealth, HalvesOnceForAllThatWereUnderWay) {
  EndpointHealth health(16, 100);
  for (int i = 0; i < 16; ++i) health.sent();
  for (int i = 0; i < 16; ++i) health.busy(1, 0, {});
  EXPECT_EQ(health.concurrency(), 8U);
  EXPECT_TRUE(health.may_send(1));
  for (int i = 0; i < 10; ++i) {
    health.sent();
    health.busy(2 + i, 2 + i, {});
  }
  EXPECT_EQ(health.concurrency(), 1U);
}

TEST(EndpointHealth, GrowsByOneInARoundTripOnceItWasTooMuch) {
  EndpointHealth health(16, 100);
  health.sent();
  health.busy(0, 0, {});
  ASSERT_EQ(health.concurrency(), 8U);
  for (int i = 0; i < 8; ++i) health.sent();
  for (int i = 0; i < 9; ++i) {
    health.answered(1, 1, 1);
    while (health.may_send(1)) health.sent();
  }
  EXPECT_EQ(health.concurrency(), 9U);
}

TEST(EndpointHealth, RestsAsLongAsTheServerAsks) {
  EndpointHealth health(4, 4);
  health.sent();
  health.busy(10, 9, 5);
  EXPECT_FALSE(health.may_send(14.9));
  EXPECT_EQ(health.next_chance(12), 15);
  EXPECT_TRUE(health.may_send(15));
}

TEST(EndpointHealth, IsLeftAloneAfterThreeFailuresAndTriedWithOneRequest) {
  EndpointHealth health(8, 8);
  for (int i = 0; i < 8; ++i) health.sent();
  for (int i = 0; i < 8; ++i) health.failed(0);
  EXPECT_TRUE(health.is_down());
  EXPECT_EQ(health.outages(), 1U);
  EXPECT_FALSE(health.may_send(0.9));
  EXPECT_TRUE(health.may_send(1));  // the other five were under way already: no longer rest
  health.sent();
  EXPECT_FALSE(health.may_send(1));
  health.failed(1);
  EXPECT_FALSE(health.may_send(2.9));  // twice as long
  EXPECT_TRUE(health.may_send(3));
  health.sent();
  health.answered(4, 1, 1);
  EXPECT_FALSE(health.is_down());
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(health.may_send(4));
    health.sent();
  }
}

TEST(EndpointHealth, RestsHalfAMinuteAtMost) {
  EndpointHealth health(1, 1);
  health.mark_down(0);
  Seconds now = 1;
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(health.may_send(now));
    health.sent();
    health.failed(now);
    now = *health.next_chance(now);
  }
  health.sent();
  health.failed(now);
  EXPECT_DOUBLE_EQ(*health.next_chance(now) - now, 30);
}

TEST(EndpointHealth, ExpectsMoreOfAFasterEndpoint) {
  EndpointHealth fast(8, 8);
  EndpointHealth slow(8, 8);
  fast.sent();
  fast.answered(1, 1, 1);
  slow.sent();
  slow.answered(4, 4, 4);
  EXPECT_DOUBLE_EQ(fast.expected_s(2), 1);
  fast.sent();
  fast.sent();
  fast.sent();
  EXPECT_DOUBLE_EQ(fast.expected_s(2), 4);  // three before it: as good as the slow one now
  EXPECT_DOUBLE_EQ(slow.expected_s(2), 4);
  EXPECT_DOUBLE_EQ(EndpointHealth(1, 1).expected_s(2), 2);
}

}  // namespace
}  // namespace rr::internal
