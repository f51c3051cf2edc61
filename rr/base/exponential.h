#pragma once

#include <cstdint>
#include <cstring>

namespace rr {

// e^x without branches, so that a loop over it becomes vector code.
//
//   x = n ln 2 + r, |r| <= ln 2 / 2;  e^x = 2^n e^r
//
// e^r by its Taylor polynomial of degree 7, whose remainder is below 6e-9 there; relative error
// below 2e-7 with rounding. ln 2 is subtracted in two parts (Cody and Waite) to keep r exact.
// Gives 0 below -87.3 (where float32 leaves its normal range), also for -infinity; x above 88 is
// taken as 88. NaN gives NaN.
static inline float exponential(float x) {
  constexpr float kLog2E = 1.44269504f;
  constexpr float kLn2High = 0.693359375f;
  constexpr float kLn2Low = -2.12194440e-4f;
  constexpr float kToInteger = 12582912.0f;  // 1.5 * 2^23: adding it leaves the rounded integer
  const float low = -87.3f;
  float y = x < low ? low : x;
  y = y > 88.0f ? 88.0f : y;
  const float shifted = y * kLog2E + kToInteger;
  const float n = shifted - kToInteger;
  const float r = (y - n * kLn2High) - n * kLn2Low;
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  std::uint32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits - 0x4b400000u + 127u) << 23;  // 2^n
  float scale;
  std::memcpy(&scale, &bits, sizeof scale);
  const float result = p * scale;
  return x < low ? 0.0f : result;
}

}  // namespace rr
