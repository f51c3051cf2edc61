#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/result.h"

namespace rr {

// Element types of model files. The quantised ones are GGML's blocks.
enum class TensorType {
  kF32,
  kF16,
  kBF16,
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
};

const char* tensor_type_name(TensorType type);  // "F32", "Q4_1", "Q6_K", ...

// Elements and bytes of one block of the type; 1 and the element's size for plain types.
struct BlockShape {
  std::size_t elements;
  std::size_t bytes;
};
BlockShape block_shape(TensorType type);

// A tensor inside a mapped file. `bytes` lives as long as the ModelFiles it came from. Row-major:
// shape.back() is contiguous (GGUF writes the dimensions the other way round; they are turned on
// reading), and a matrix of a linear layer is [out, in]. bytes.size() fits the shape exactly; rows
// are whole blocks. `bytes` need not be aligned to its element.
struct TensorView {
  std::string name;
  TensorType type;
  std::vector<std::size_t> shape;
  std::span<const std::byte> bytes;

  std::size_t num_elements() const;
  std::size_t num_rows() const;  // product of all dimensions but the last
  std::size_t row_length() const { return shape.empty() ? 1 : shape.back(); }
  std::span<const std::byte> row(std::size_t index) const;
};

// One row as floats, exactly as GGML's reference dequantises it. Requires out.size() ==
// row_length().
void dequantize_row(const TensorView& tensor, std::size_t row, std::span<float> out);

}  // namespace rr
