#include "rr/weights/convert_tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <span>

namespace rr {
namespace {

// Numbers in another type and back.
std::vector<float> through(TensorType type, const std::vector<float>& values) {
  const TensorView plain = {
      "t", TensorType::kF32, {values.size()}, std::as_bytes(std::span(values))};
  const auto bytes = convert_tensor(plain, type);
  const TensorView converted = {"t", type, {values.size()}, bytes};
  std::vector<float> result(values.size());
  dequantize_row(converted, 0, result);
  return result;
}

TEST(ConvertTensor, RoundsToTheNearestHalf) {
  // 1 + 2^-11 lies between 1 and 1 + 2^-10: to the even one; 65520 is the first that is infinite.
  const std::vector<float> in = {1.0f,     1 + 0x1p-11f, 1 + 3 * 0x1p-11f, -2.5f,    65504.0f,
                                 65519.0f, 65520.0f,     0x1p-24f,         0x1p-26f, 0.0f};
  const std::vector<float> expected = {1.0f,     1.0f,     1 + 0x1p-9f, -2.5f, 65504.0f,
                                       65504.0f, INFINITY, 0x1p-24f,    0.0f,  0.0f};
  EXPECT_EQ(through(TensorType::kF16, in), expected);
}

TEST(ConvertTensor, EveryHalfComesBack) {
  for (std::uint32_t bits = 0; bits < 0x7C00; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const TensorView tensor = {"t", TensorType::kF16, {1}, std::as_bytes(std::span(&half, 1))};
    float value = 0;
    dequantize_row(tensor, 0, {&value, 1});
    const TensorView wide = {"t", TensorType::kF32, {1}, std::as_bytes(std::span(&value, 1))};
    const auto back = convert_tensor(wide, TensorType::kF16);
    ASSERT_EQ(std::to_integer<unsigned>(back[0]) | std::to_integer<unsigned>(back[1]) << 8, bits);
  }
}

TEST(ConvertTensor, RoundsToTheNearestBf16) {
  EXPECT_EQ(through(TensorType::kBF16, {1.00390625f, 1.01171875f}),
            (std::vector<float>{1.0f, 1.015625f}));
}

TEST(ConvertTensor, QuantisesBlocksByTheirLargest) {
  std::vector<float> values(64);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i < 32 ? 0 : static_cast<int>(i) - 48) / 16;
  }
  const auto found = through(TensorType::kQ8_0, values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(found[i], values[i], 1.0 / 127 / 2 + 1e-3) << i;
  }
}

TEST(ConvertTensor, QuantisesToFourBitsByTheFurthestFromZero) {
  // The furthest, 8, is -8 scales of -1: whole numbers from -7 to 8 come back, half a scale off at
  // most what lies between.
  std::vector<float> values(32);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i % 16) - 7 + (i < 16 ? 0.0f : 0.25f);
  }
  values[31] = 8;
  const auto found = through(TensorType::kQ4_0, values);
  for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(found[i], values[i]) << i;
  for (std::size_t i = 16; i < 31; ++i) EXPECT_EQ(found[i], values[i] - 0.25f) << i;
  // As far on the other side is out of reach: there are 7 scales only.
  values.assign(32, -1);
  values[3] = 1;  // the first of those equally far is -1, of scale 1/8
  const auto clipped = through(TensorType::kQ4_0, values);
  EXPECT_EQ(clipped[0], -1);
  EXPECT_EQ(clipped[3], 0.875f);
  EXPECT_EQ(through(TensorType::kQ4_0, std::vector<float>(32, 0.0f)), std::vector<float>(32, 0.0f));
}

}  // namespace
}  // namespace rr
