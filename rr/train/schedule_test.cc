#include "rr/train/schedule.h"

#include <gtest/gtest.h>

namespace rr {
namespace {

Schedule schedule(Decay decay) {
  return {.decay = decay, .peak = 8, .warmup_steps = 4, .num_steps = 12};
}

TEST(Schedule, WarmsUpFromItsFirstStep) {
  for (const Decay decay : {Decay::kConstant, Decay::kLinear, Decay::kCosine}) {
    EXPECT_EQ(schedule(decay).rate_at(1), 2);
    EXPECT_EQ(schedule(decay).rate_at(4), 8);
    EXPECT_EQ(schedule(decay).rate_at(5), 8);
  }
}

TEST(Schedule, ThenStaysFallsStraightOrFallsAsACosine) {
  EXPECT_EQ(schedule(Decay::kConstant).rate_at(12), 8);
  EXPECT_EQ(schedule(Decay::kLinear).rate_at(9), 4);
  EXPECT_EQ(schedule(Decay::kLinear).rate_at(12), 1);  // 7 of 8 gone; 0 would teach nothing
  EXPECT_NEAR(schedule(Decay::kCosine).rate_at(9), 4, 1e-12);
  EXPECT_NEAR(schedule(Decay::kCosine).rate_at(7), 8 * (1 + 0.70710678118) / 2, 1e-9);
}

TEST(Schedule, NeedsNoWarmUp) {
  const Schedule plain{.decay = Decay::kLinear, .peak = 1, .warmup_steps = 0, .num_steps = 4};
  EXPECT_EQ(plain.rate_at(1), 1);
  EXPECT_EQ(plain.rate_at(3), 0.5);
}

}  // namespace
}  // namespace rr
