#include "rr/weights/convert_tensor.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>

#include "rr/base/check.h"

namespace rr {
namespace {

std::uint16_t to_bf16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

// IEEE 754 binary16, rounded to nearest, ties to even; what is too large becomes infinity.
std::uint16_t to_half_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const float magnitude = std::abs(value);
  if (magnitude >= 65520.0F) return static_cast<std::uint16_t>(sign | 0x7C00U);
  if (magnitude < 0x1p-14F) {  // subnormal: a multiple of 2^-24
    return static_cast<std::uint16_t>(
        sign | static_cast<std::uint16_t>(std::nearbyint(magnitude * 0x1p24F)));
  }
  const std::uint32_t rest = bits & 0x7FFFFFFFU;
  const std::uint32_t rounded = rest + 0xFFFU + ((rest >> 13) & 1U);
  return static_cast<std::uint16_t>(sign | ((rounded - (112U << 23)) >> 13));
}

template <typename T>
void put(std::byte*& out, T value) {
  std::memcpy(out, &value, sizeof value);
  out += sizeof value;
}

// 32 numbers as a scale in half precision and 32 integers of 8 bits.
void put_q8_0(std::span<const float> block, std::byte*& out) {
  float largest = 0;
  for (const float value : block) largest = std::max(largest, std::abs(value));
  const float scale = largest / 127;
  const float inverse = scale == 0 ? 0 : 1 / scale;
  put(out, to_half_bits(scale));
  for (const float value : block) {
    put(out, static_cast<std::int8_t>(std::round(value * inverse)));
  }
}

// 32 numbers as a scale in half precision and 32 integers of 4 bits, stored with 8 added: the
// number furthest from 0 is -8 times the scale, so the scale has its sign turned. The first 16 lie
// in the low halves of the bytes, the others in the high ones.
void put_q4_0(std::span<const float> block, std::byte*& out) {
  const float furthest = *std::max_element(
      block.begin(), block.end(), [](float a, float b) { return std::abs(a) < std::abs(b); });
  const float scale = furthest / -8;
  const float inverse = scale == 0 ? 0 : 1 / scale;
  const auto level = [inverse](float value) {
    return std::min(15U, static_cast<unsigned>(value * inverse + 8.5F));
  };
  put(out, to_half_bits(scale));
  for (std::size_t i = 0; i < 16; ++i) {
    put(out, static_cast<std::uint8_t>(level(block[i]) | level(block[i + 16]) << 4));
  }
}

void put_row(std::span<const float> row, TensorType type, std::byte*& out) {
  if (type == TensorType::kQ8_0) {
    for (std::size_t i = 0; i < row.size(); i += 32) put_q8_0(row.subspan(i, 32), out);
    return;
  }
  if (type == TensorType::kQ4_0) {
    for (std::size_t i = 0; i < row.size(); i += 32) put_q4_0(row.subspan(i, 32), out);
    return;
  }
  for (const float value : row) {
    if (type == TensorType::kF32) put(out, value);
    if (type == TensorType::kF16) put(out, to_half_bits(value));
    if (type == TensorType::kBF16) put(out, to_bf16_bits(value));
  }
}

}  // namespace

std::vector<std::byte> convert_tensor(const TensorView& tensor, TensorType type) {
  if (tensor.type == type) return {tensor.bytes.begin(), tensor.bytes.end()};
  const BlockShape block = block_shape(type);
  RR_CHECK(type == TensorType::kF32 || type == TensorType::kF16 || type == TensorType::kBF16 ||
               type == TensorType::kQ8_0 || type == TensorType::kQ4_0,
           "a type that can be written");
  RR_CHECK(tensor.row_length() % block.elements == 0, "rows are whole blocks");
  std::vector<std::byte> bytes(tensor.num_elements() / block.elements * block.bytes);
  std::byte* out = bytes.data();
  std::vector<float> row(tensor.row_length());
  for (std::size_t r = 0; r < tensor.num_rows(); ++r) {
    dequantize_row(tensor, r, row);
    put_row(row, type, out);
  }
  return bytes;
}

}  // namespace rr
