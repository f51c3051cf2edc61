#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "rr/base/sha256.h"
#include "rr/weights/internal/half.h"
#include "rr/weights/tensor.h"

namespace rr {
namespace {

// Expected values: GGML's own reference, twice over. The `gguf` Python package 0.19.0
// (gguf.quants.dequantize) and the to_float functions of libggml-base agreed on every bit of these
// blocks.
struct Vector {
  TensorType type;
  std::size_t num_blocks;
  const char* sha256;  // of all dequantised floats, as they lie in memory
  std::array<float, 3> first;
  std::array<float, 3> last;
};

constexpr Vector kVectors[] = {
    {TensorType::kF32,
     1024,
     "6a59af9903c32d7a1d9dd3126e6d13ba3b09ec553b8a300f6720f41bf5ae3762",
     {5.33338841e-36F, -7.17860809e-37F, -0.060557086F},
     {-2.56574602e-28F, -1.0075356e-32F, -4.74877464e-11F}},
    {TensorType::kF16,
     1024,
     "b26cefa3ea4306acc928d8289d1ebe0901a550fc132d9f0bf7e2ea85d239dade",
     {0.000237107277F, 0.000414848328F, 0.0221557617F},
     {0.0960083008F, -7.55786896e-05F, -8.15987587e-05F}},
    {TensorType::kBF16,
     1024,
     "1857438d70fbcd9fdafe6b70263c37c2155c2db8279ba8190d99153bca8c03ad",
     {-1.80915927e-38F, -3.96743417e-07F, 4.89186206e-32F},
     {3.02922588e-28F, 5.27355937e-16F, -2.93254852e-05F}},
    {TensorType::kQ8_0,
     64,
     "59d5abcd3a77c7fdd4e5a5e2f57a4010f70d0833268b961380bd1347f75fe924",
     {-0.0158486366F, -0.0272948742F, 0.0246534348F},
     {0.0236763954F, 0.0353684425F, 0.0356607437F}},
    {TensorType::kQ4_0,
     64,
     "2eae4f78a6910343d3683ddb08a1e36809600155a4c6c248fa394da329673cec",
     {-0.000191926956F, 0.0F, -0.000287890434F},
     {2.65283203F, 1.76855469F, -0.442138672F}},
    {TensorType::kQ4_1,
     64,
     "8ada03920c76e8b7392aef6fd1d46004cddadc47ebc34cbb4657d999169b441e",
     {0.00814819336F, 0.0023059845F, -0.00743103027F},
     {0.0112233162F, 0.00338411331F, 0.00181627274F}},
    {TensorType::kQ5_0,
     64,
     "1711cace7456c0dd47a895db55ae7eb87c83ab8a837df6c32b529a0b03310465",
     {0.389389038F, -0.269577026F, 0.479248047F},
     {0.000464200974F, 0.000309467316F, 0.0F}},
    {TensorType::kQ5_1,
     64,
     "dbf6b3389d8efe5647de87bf435058e87891a76b5457626fa75866a342a19cc4",
     {-3.81474495F, -8.71904182F, -16.8928699F},
     {1.78515625F, 3.6529541F, 2.50354004F}},
    {TensorType::kQ2_K,
     64,
     "fe45b2c10ca5aae62eabde1bf09d3dddc4e543d930812379027cb00a409c268d",
     {10.7061768F, 10.7061768F, 3.56872559F},
     {-0.550964355F, -0.550964355F, -0.289352417F}},
    {TensorType::kQ3_K,
     64,
     "bcf9c25954da3e6cb44ad185ebed698f0c18bbdadf5df90fced2177dbc4b0647",
     {-0.0F, 0.0776519775F, -0.0388259888F},
     {0.0F, -0.0209283829F, 0.0313925743F}},
    {TensorType::kQ4_K,
     64,
     "85acead3b707a705cc3ff11803e98a1030719b60b09e40ffabf25f5ae6566d30",
     {-16.7337799F, -5.19566345F, -7.75968933F},
     {-71.7053223F, -50.0408936F, -41.3751221F}},
    {TensorType::kQ5_K,
     64,
     "24dc247a55ca78c86daaefca9cade1d712e2fd0aceb2eafc6c07b8c6404d547e",
     {-137.675491F, -103.256554F, -123.907921F},
     {-11.2702322F, -78.9489441F, -146.627655F}},
    {TensorType::kQ6_K,
     64,
     "26ae7f1d0faa24ca0af4b1c842225816b6ac5c41709a9eb99a618e94cd4bc940",
     {364.007812F, -566.234375F, 283.117188F},
     {-145.161133F, -135.795898F, 23.4130859F}},
};

// Where the blocks of a type have half-precision numbers.
std::vector<std::size_t> half_offsets(TensorType type) {
  switch (type) {
    case TensorType::kF32:
      return {};
    case TensorType::kQ4_1:
    case TensorType::kQ5_1:
    case TensorType::kQ4_K:
    case TensorType::kQ5_K:
      return {0, 2};
    case TensorType::kQ2_K:
      return {80, 82};
    case TensorType::kQ3_K:
      return {108};
    case TensorType::kQ6_K:
      return {208};
    default:
      return {0};
  }
}

// Blocks of random bytes (the high bytes of a linear congruential generator, Knuth's MMIX
// constants). One bit of each scale is cleared so that there is no infinity and no NaN.
std::vector<std::byte> random_blocks(TensorType type, std::size_t num_blocks) {
  const std::size_t block_bytes = block_shape(type).bytes;
  std::vector<std::byte> blocks(num_blocks * block_bytes);
  std::uint64_t state = std::strlen(tensor_type_name(type)) * 1000 + block_bytes;
  for (std::byte& byte : blocks) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<std::byte>(state >> 56);
  }
  for (std::size_t block = 0; block < num_blocks; ++block) {
    std::byte* const start = blocks.data() + block * block_bytes;
    if (type == TensorType::kF32) start[3] &= std::byte{0xBF};
    for (const std::size_t offset : half_offsets(type)) start[offset + 1] &= std::byte{0xBF};
  }
  return blocks;
}

class Dequantize : public ::testing::TestWithParam<Vector> {};

TEST_P(Dequantize, AgreesWithGgmlToTheLastBit) {
  const Vector& expected = GetParam();
  const std::vector<std::byte> blocks = random_blocks(expected.type, expected.num_blocks);
  const std::size_t elements = expected.num_blocks * block_shape(expected.type).elements;
  const TensorView tensor{"t", expected.type, {elements}, blocks};
  std::vector<float> values(elements);
  dequantize_row(tensor, 0, values);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(values[i], expected.first.at(i)) << i;
    EXPECT_EQ(values[elements - 3 + i], expected.last.at(i)) << i;
  }
  EXPECT_EQ(sha256_hex(std::as_bytes(std::span(values))), expected.sha256);
}

TEST_P(Dequantize, GivesEachRowOfAMatrixFromItsOwnBytes) {
  const Vector& vector = GetParam();
  const std::vector<std::byte> blocks = random_blocks(vector.type, vector.num_blocks);
  const std::size_t row_length = 2 * block_shape(vector.type).elements;
  const TensorView whole{"t", vector.type, {vector.num_blocks / 2 * row_length}, blocks};
  const TensorView matrix{"t", vector.type, {vector.num_blocks / 4, 2, row_length}, blocks};
  std::vector<float> all(whole.num_elements());
  dequantize_row(whole, 0, all);
  std::vector<float> row(row_length);
  ASSERT_EQ(matrix.num_rows(), vector.num_blocks / 2);
  for (std::size_t i = 0; i < matrix.num_rows(); ++i) {
    dequantize_row(matrix, i, row);
    ASSERT_EQ(std::memcmp(row.data(), all.data() + i * row_length, row_length * sizeof(float)), 0)
        << i;
  }
}

TEST_P(Dequantize, ReadsBytesThatAreNotAligned) {
  const Vector& vector = GetParam();
  std::vector<std::byte> blocks = random_blocks(vector.type, vector.num_blocks);
  const std::size_t elements = vector.num_blocks * block_shape(vector.type).elements;
  blocks.insert(blocks.begin(), std::byte{0});
  const TensorView tensor{"t", vector.type, {elements}, std::span(blocks).subspan(1)};
  std::vector<float> values(elements);
  dequantize_row(tensor, 0, values);
  EXPECT_EQ(sha256_hex(std::as_bytes(std::span(values))), vector.sha256);
}

INSTANTIATE_TEST_SUITE_P(Types, Dequantize, ::testing::ValuesIn(kVectors),
                         [](const auto& vector) { return tensor_type_name(vector.param.type); });

TEST(HalfToFloat, GivesWhatIeee754SaysForEveryHalf) {
  for (std::uint32_t half = 0; half < 0x10000; ++half) {
    const float found = internal::half_to_float(static_cast<std::uint16_t>(half));
    const double sign = (half & 0x8000) != 0 ? -1 : 1;
    const int exponent = static_cast<int>(half >> 10 & 31);
    const double fraction = (half & 0x3FF) / 1024.0;
    ASSERT_EQ(std::signbit(found), (half & 0x8000) != 0) << half;
    if (exponent == 31) {
      ASSERT_EQ(std::isnan(found), fraction != 0) << half;
      ASSERT_EQ(std::isinf(found), fraction == 0) << half;
    } else if (exponent == 0) {
      ASSERT_EQ(found, sign * std::ldexp(fraction, -14)) << half;
    } else {
      ASSERT_EQ(found, sign * std::ldexp(1 + fraction, exponent - 15)) << half;
    }
  }
}

TEST(TensorView, CountsAScalarAsOneRowOfOne) {
  const float value = 2.5F;
  const TensorView scalar{"s", TensorType::kF32, {}, std::as_bytes(std::span(&value, 1))};
  EXPECT_EQ(scalar.num_elements(), 1U);
  EXPECT_EQ(scalar.num_rows(), 1U);
  float out = 0;
  dequantize_row(scalar, 0, {&out, 1});
  EXPECT_EQ(out, 2.5F);
}

}  // namespace
}  // namespace rr
