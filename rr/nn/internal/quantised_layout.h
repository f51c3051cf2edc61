#pragma once

#include <cstddef>
#include <cstdint>

namespace rr::internal {

// How quantised weights and what they multiply lie in memory: the same on every machine.
//
// A panel's outputs go in strips of 64. Four inputs of an output stand together, then the same four
// of the next output, as the instruction vpdpbusd takes them. Inputs are padded to whole blocks of
// 32, with zeros.
constexpr std::size_t kStripOutputs = 64;
constexpr std::size_t kQuantBlock = 32;

constexpr std::size_t padded_inputs(std::size_t num_inputs) {
  return (num_inputs + kQuantBlock - 1) / kQuantBlock * kQuantBlock;
}
constexpr std::size_t num_strips(std::size_t num_outputs) {
  return (num_outputs + kStripOutputs - 1) / kStripOutputs;
}

// int8: a weight w of output n is kept as the byte q = round(w / s_n) + 128, s_n = max |w_n| / 127.
// A strip: [inputs / 4][64][4] bytes, then the 64 scales s_n in float32.
constexpr std::size_t int8_strip_bytes(std::size_t inputs) {
  return inputs * kStripOutputs + kStripOutputs * sizeof(float);
}
constexpr std::size_t int8_offset(std::size_t output, std::size_t input) {
  return input / 4 * (kStripOutputs * 4) + output * 4 + input % 4;
}
constexpr int kInt8Zero = 128;

// int4: 32 inputs of an output are a block, w = d * q + m, q in 0..15, d and m in half precision:
// what GGUF calls Q4_1, and Q4_0 with m = -8 d.
// A strip: for each 32 inputs [4][64][4] bytes, the k-th four inputs of an output in the low halves
// of row k / 2 for even k and in the high halves for odd k; then 64 times d, then 64 times m.
constexpr std::size_t kInt4Quants = kStripOutputs * kQuantBlock / 2;
constexpr std::size_t kInt4BlockBytes = kInt4Quants + 2 * kStripOutputs * sizeof(std::uint16_t);
constexpr std::size_t int4_strip_bytes(std::size_t inputs) {
  return inputs / kQuantBlock * kInt4BlockBytes;
}
constexpr std::size_t int4_offset(std::size_t output, std::size_t input_in_block) {
  return input_in_block / 8 * (kStripOutputs * 4) + output * 4 + input_in_block % 4;
}
constexpr unsigned int4_shift(std::size_t input_in_block) {
  return input_in_block / 4 % 2 == 0 ? 0 : 4;
}

// Rows of activations, quantised in blocks of 32: x = scale * q, scale = max |x| / 127 of the
// block. One scale for a whole row would cost much more: a few activations are far larger than the
// others.
struct QuantisedRows {
  std::size_t count;
  std::size_t inputs;         // padded
  const std::int8_t* values;  // [count, inputs]
  const float* scales;        // [count, inputs / 32]
  const std::int32_t* sums;   // [count, inputs / 32], of the values
};

// out [rows, outputs] = rows * weight^T. Within a block sums of products are integers, and so
// exact; the blocks are added in their order. A row's result does not depend on the other rows.
struct QuantisedProduct {
  QuantisedRows rows;
  const std::byte* weight;  // strips
  std::size_t outputs;
  float* out;
};

// Some inputs of all outputs of a weight, to be turned back into numbers: [outputs, num_inputs], an
// output after the other. Requires first_input to begin a block.
struct QuantisedPiece {
  const std::byte* weight;  // strips
  std::size_t inputs;       // padded, of the weight
  std::size_t outputs;
  std::size_t first_input;
  std::size_t num_inputs;
};

}  // namespace rr::internal
