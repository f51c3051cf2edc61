#include "rr/weights/tensor.h"

#include <array>

#include "rr/base/check.h"

namespace rr {
namespace {

struct TypeFacts {
  const char* name;
  BlockShape block;
};

// In the order of TensorType. Block sizes as ggml-common.h lays the blocks out.
constexpr std::array<TypeFacts, 13> kTypeFacts = {{
    {"F32", {1, 4}},
    {"F16", {1, 2}},
    {"BF16", {1, 2}},
    {"Q8_0", {32, 2 + 32}},
    {"Q4_0", {32, 2 + 16}},
    {"Q4_1", {32, 2 + 2 + 16}},
    {"Q5_0", {32, 2 + 4 + 16}},
    {"Q5_1", {32, 2 + 2 + 4 + 16}},
    {"Q2_K", {256, 16 + 64 + 2 + 2}},
    {"Q3_K", {256, 32 + 64 + 12 + 2}},
    {"Q4_K", {256, 2 + 2 + 12 + 128}},
    {"Q5_K", {256, 2 + 2 + 12 + 32 + 128}},
    {"Q6_K", {256, 128 + 64 + 16 + 2}},
}};

const TypeFacts& facts(TensorType type) { return kTypeFacts.at(static_cast<std::size_t>(type)); }

}  // namespace

const char* tensor_type_name(TensorType type) { return facts(type).name; }

BlockShape block_shape(TensorType type) { return facts(type).block; }

std::size_t TensorView::num_elements() const { return num_rows() * row_length(); }

std::size_t TensorView::num_rows() const {
  std::size_t rows = 1;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows;
}

std::span<const std::byte> TensorView::row(std::size_t index) const {
  RR_CHECK(index < num_rows(), "the tensor has no such row");
  const BlockShape block = block_shape(type);
  const std::size_t row_bytes = row_length() / block.elements * block.bytes;
  return bytes.subspan(index * row_bytes, row_bytes);
}

}  // namespace rr
