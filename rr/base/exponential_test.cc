#include "rr/base/exponential.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace rr {
namespace {

TEST(Exponential, AgreesWithTheLibrary) {
  for (float x = -87.0f; x < 88.0f; x += 0.0137f) {
    EXPECT_NEAR(exponential(x) / std::exp(static_cast<double>(x)), 1.0, 4e-7) << x;
  }
  EXPECT_EQ(exponential(0.0f), 1.0f);
  EXPECT_EQ(exponential(-100.0f), 0.0f);
  EXPECT_EQ(exponential(-std::numeric_limits<float>::infinity()), 0.0f);
  EXPECT_TRUE(std::isnan(exponential(std::numeric_limits<float>::quiet_NaN())));
}

}  // namespace
}  // namespace rr
