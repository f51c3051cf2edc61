#include <bit>
#include <cstring>

#include "rr/base/check.h"
#include "rr/weights/internal/half.h"
#include "rr/weights/tensor.h"

// The block formats are GGML's (ggml-common.h), the arithmetic that of its reference functions
// (dequantize_row_* in ggml-quants.c): the same products and sums in the same order, so results are
// equal to the last bit. The build keeps the compiler from fusing them (-ffp-contract=off).
//
// Inner loops are short, of fixed length and without branches, so that they become vector code with
// any x86-64 compiler.

namespace rr {
namespace {

using internal::half_to_float;

// Little-endian, wherever it lies; a plain load on x86-64.
template <typename T>
T load(const std::uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

float load_half(const std::uint8_t* bytes) { return half_to_float(load<std::uint16_t>(bytes)); }

int low4(std::uint8_t byte) { return byte & 0xF; }
int high4(std::uint8_t byte) { return byte >> 4; }

// ---- Plain types: `count` elements a call.

void read_f32(const std::uint8_t* in, std::size_t count, float* out) {
  std::memcpy(out, in, count * sizeof(float));
}

void read_f16(const std::uint8_t* in, std::size_t count, float* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = load_half(in + 2 * i);
}

void read_bf16(const std::uint8_t* in, std::size_t count, float* out) {
  for (std::size_t i = 0; i < count; ++i) {
    out[i] =
        std::bit_cast<float>(static_cast<std::uint32_t>(load<std::uint16_t>(in + 2 * i)) << 16);
  }
}

// ---- Blocks of 32: the first 16 elements in the low halves of the bytes, the rest in the high.

void read_q8_0(const std::uint8_t* in, float* out) {
  const float d = load_half(in);
  const std::uint8_t* q = in + 2;
  for (int i = 0; i < 32; ++i) {
    out[i] = static_cast<float>(static_cast<std::int8_t>(q[i])) * d;
  }
}

void read_q4_0(const std::uint8_t* in, float* out) {
  const float d = load_half(in);
  const std::uint8_t* q = in + 2;
  for (int i = 0; i < 16; ++i) out[i] = static_cast<float>(low4(q[i]) - 8) * d;
  for (int i = 0; i < 16; ++i) out[i + 16] = static_cast<float>(high4(q[i]) - 8) * d;
}

void read_q4_1(const std::uint8_t* in, float* out) {
  const float d = load_half(in);
  const float m = load_half(in + 2);
  const std::uint8_t* q = in + 4;
  for (int i = 0; i < 16; ++i) out[i] = static_cast<float>(low4(q[i])) * d + m;
  for (int i = 0; i < 16; ++i) out[i + 16] = static_cast<float>(high4(q[i])) * d + m;
}

// The fifth bits of all 32 elements stand in one word, element i at bit i.
struct FiveBits {
  std::int32_t values[32];  // 0..31

  FiveBits(const std::uint8_t* fifth_bits, const std::uint8_t* q) {
    const auto word = load<std::uint32_t>(fifth_bits);
    for (int i = 0; i < 16; ++i) {
      values[i] = low4(q[i]) | static_cast<int>((word >> i & 1) << 4);
    }
    for (int i = 0; i < 16; ++i) {
      values[i + 16] = high4(q[i]) | static_cast<int>((word >> (i + 16) & 1) << 4);
    }
  }
};

void read_q5_0(const std::uint8_t* in, float* out) {
  const float d = load_half(in);
  const FiveBits q(in + 2, in + 6);
  for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(q.values[i] - 16) * d;
}

void read_q5_1(const std::uint8_t* in, float* out) {
  const float d = load_half(in);
  const float m = load_half(in + 2);
  const FiveBits q(in + 4, in + 8);
  for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(q.values[i]) * d + m;
}

// ---- Super-blocks of 256 with scales of their own for every 16 or 32 elements.

// scales[16] (low half: scale, high: minimum), q[64], d, dmin. Each half of 128 elements is 32
// bytes; the four pairs of bits of a byte are 32 elements apart.
void read_q2_k(const std::uint8_t* in, float* out) {
  const std::uint8_t* scales = in;
  const std::uint8_t* q = in + 16;
  const float d = load_half(in + 80);
  const float dmin = load_half(in + 82);
  for (int group = 0; group < 16; ++group) {
    const float scale = d * static_cast<float>(low4(scales[group]));
    const float minimum = dmin * static_cast<float>(high4(scales[group]));
    const std::uint8_t* from = q + 32 * (group / 8) + 16 * (group % 2);
    const int shift = 2 * (group % 8 / 2);
    for (int i = 0; i < 16; ++i) {
      out[16 * group + i] = scale * static_cast<float>(from[i] >> shift & 3) - minimum;
    }
  }
}

// hmask[32], q[64], scales[12], d. Two low bits as in Q2_K, the third, inverted, from hmask: bit
// group/2 of byte i. A scale has six bits: four from the halves of the first eight bytes, two from
// the last four bytes; 32 stands for 0.
int q3_k_scale(const std::uint8_t* scales, int group) {
  const int low = group < 8 ? low4(scales[group]) : high4(scales[group - 8]);
  const int high = scales[8 + group % 4] >> (2 * (group / 4)) & 3;
  return (low | high << 4) - 32;
}

void read_q3_k(const std::uint8_t* in, float* out) {
  const std::uint8_t* hmask = in;
  const std::uint8_t* q = in + 32;
  const std::uint8_t* scales = in + 96;
  const float d = load_half(in + 108);
  for (int group = 0; group < 16; ++group) {
    const float scale = d * static_cast<float>(q3_k_scale(scales, group));
    const std::uint8_t* from = q + 32 * (group / 8) + 16 * (group % 2);
    const std::uint8_t* third = hmask + 16 * (group % 2);
    const int shift = 2 * (group % 8 / 2);
    const int third_shift = group / 2;
    for (int i = 0; i < 16; ++i) {
      const int value = (from[i] >> shift & 3) + ((third[i] >> third_shift & 1) << 2) - 4;
      out[16 * group + i] = scale * static_cast<float>(value);
    }
  }
}

// Eight scales and eight minima of six bits each in twelve bytes (Q4_K, Q5_K).
struct ScaleAndMinimum {
  float scale;
  float minimum;
};
ScaleAndMinimum k4_scale(const std::uint8_t* packed, int group) {
  if (group < 4) {
    return {static_cast<float>(packed[group] & 63), static_cast<float>(packed[group + 4] & 63)};
  }
  const int scale = low4(packed[group + 4]) | packed[group - 4] >> 6 << 4;
  const int minimum = high4(packed[group + 4]) | packed[group] >> 6 << 4;
  return {static_cast<float>(scale), static_cast<float>(minimum)};
}

// d, dmin, scales[12], q[128]. 64 elements in 32 bytes: low halves first, then high halves.
void read_q4_k(const std::uint8_t* in, float* out) {
  const float d = load_half(in);
  const float dmin = load_half(in + 2);
  const std::uint8_t* q = in + 16;
  for (int group = 0; group < 8; ++group) {
    const ScaleAndMinimum packed = k4_scale(in + 4, group);
    const float scale = d * packed.scale;
    const float minimum = dmin * packed.minimum;
    const std::uint8_t* from = q + 32 * (group / 2);
    const int shift = 4 * (group % 2);
    for (int i = 0; i < 32; ++i) {
      out[32 * group + i] = scale * static_cast<float>(from[i] >> shift & 0xF) - minimum;
    }
  }
}

// d, dmin, scales[12], qh[32], q[128]. As Q4_K, with a fifth bit from qh: bit `group` of byte i.
void read_q5_k(const std::uint8_t* in, float* out) {
  const float d = load_half(in);
  const float dmin = load_half(in + 2);
  const std::uint8_t* qh = in + 16;
  const std::uint8_t* q = in + 48;
  for (int group = 0; group < 8; ++group) {
    const ScaleAndMinimum packed = k4_scale(in + 4, group);
    const float scale = d * packed.scale;
    const float minimum = dmin * packed.minimum;
    const std::uint8_t* from = q + 32 * (group / 2);
    const int shift = 4 * (group % 2);
    for (int i = 0; i < 32; ++i) {
      const int value = (from[i] >> shift & 0xF) + ((qh[i] >> group & 1) << 4);
      out[32 * group + i] = scale * static_cast<float>(value) - minimum;
    }
  }
}

// ql[128], qh[64], scales[16] (signed), d. Each half of 128 elements: four runs of 32 with their
// low four bits in ql (low halves of 64 bytes, then high halves) and their two high bits in qh.
void read_q6_k(const std::uint8_t* in, float* out) {
  const std::uint8_t* scales = in + 192;
  const float d = load_half(in + 208);
  for (int group = 0; group < 16; ++group) {
    const int half = group / 8;
    const int run = group % 8 / 2;
    const int first = 16 * (group % 2);
    const std::uint8_t* ql = in + 64 * half + 32 * (run % 2) + first;
    const std::uint8_t* qh = in + 128 + 32 * half + first;
    const int low_shift = 4 * (run / 2);
    const int high_shift = 2 * run;
    const float scale = d * static_cast<float>(static_cast<std::int8_t>(scales[group]));
    for (int i = 0; i < 16; ++i) {
      const int value = (ql[i] >> low_shift & 0xF) | (qh[i] >> high_shift & 3) << 4;
      out[16 * group + i] = scale * static_cast<float>(value - 32);
    }
  }
}

template <void (*read_block)(const std::uint8_t*, float*)>
void read_blocks(const std::uint8_t* in, std::size_t count, BlockShape block, float* out) {
  for (std::size_t i = 0; i < count; ++i) {
    read_block(in + i * block.bytes, out + i * block.elements);
  }
}

}  // namespace

void dequantize_row(const TensorView& tensor, std::size_t row, std::span<float> out) {
  RR_CHECK(out.size() == tensor.row_length(), "the output must hold one row");
  const BlockShape block = block_shape(tensor.type);
  const auto* in = reinterpret_cast<const std::uint8_t*>(tensor.row(row).data());
  const std::size_t blocks = out.size() / block.elements;
  float* const to = out.data();
  switch (tensor.type) {
    case TensorType::kF32:
      return read_f32(in, blocks, to);
    case TensorType::kF16:
      return read_f16(in, blocks, to);
    case TensorType::kBF16:
      return read_bf16(in, blocks, to);
    case TensorType::kQ8_0:
      return read_blocks<read_q8_0>(in, blocks, block, to);
    case TensorType::kQ4_0:
      return read_blocks<read_q4_0>(in, blocks, block, to);
    case TensorType::kQ4_1:
      return read_blocks<read_q4_1>(in, blocks, block, to);
    case TensorType::kQ5_0:
      return read_blocks<read_q5_0>(in, blocks, block, to);
    case TensorType::kQ5_1:
      return read_blocks<read_q5_1>(in, blocks, block, to);
    case TensorType::kQ2_K:
      return read_blocks<read_q2_k>(in, blocks, block, to);
    case TensorType::kQ3_K:
      return read_blocks<read_q3_k>(in, blocks, block, to);
    case TensorType::kQ4_K:
      return read_blocks<read_q4_k>(in, blocks, block, to);
    case TensorType::kQ5_K:
      return read_blocks<read_q5_k>(in, blocks, block, to);
    case TensorType::kQ6_K:
      return read_blocks<read_q6_k>(in, blocks, block, to);
  }
}

}  // namespace rr
