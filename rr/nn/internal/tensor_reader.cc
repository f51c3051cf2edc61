#include "rr/nn/internal/tensor_reader.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "rr/nn/internal/half.h"

namespace rr::internal {
namespace {

// A block of Q4_0 or Q4_1: d, for Q4_1 m, and 16 bytes with q_i in the low half of byte i and
// q_(i + 16) in the high half. Q4_0 counts from -8.
Int4Block file_block(TensorType type, const std::byte* from) {
  Int4Block block;
  std::memcpy(&block.d, from, sizeof block.d);
  from += sizeof block.d;
  if (type == TensorType::kQ4_0) {
    block.m = float_to_half_bits(-8.0f * half_bits_to_float(block.d));
  } else {
    std::memcpy(&block.m, from, sizeof block.m);
    from += sizeof block.m;
  }
  for (std::size_t i = 0; i < kQuantBlock / 2; ++i) {
    block.q[i] = std::to_integer<std::uint8_t>(from[i] & std::byte{0x0f});
    block.q[i + kQuantBlock / 2] = std::to_integer<std::uint8_t>(from[i] >> 4);
  }
  return block;
}

}  // namespace

bool is_finite(const float* values, std::size_t count) {
  std::uint32_t worst = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    worst = std::max(worst, bits & 0x7f800000u);
  }
  return worst != 0x7f800000u;
}

TensorReader::TensorReader(const ModelFiles& files, const DecoderConfig& config)
    : files_(files), config_(config), is_gguf_(files.format() == ModelFiles::Format::kGguf) {}

std::string TensorReader::name(const TensorName& tensor) const {
  return is_gguf_ ? tensor.gguf : tensor.hugging_face;
}

std::string TensorReader::name(std::size_t layer, const TensorName& tensor,
                               const char* ending) const {
  return is_gguf_ ? fmt::format("blk.{}.{}{}", layer, tensor.gguf, ending)
                  : fmt::format("model.layers.{}.{}{}", layer, tensor.hugging_face, ending);
}

Result<const TensorView*> TensorReader::find(const std::string& tensor_name,
                                             std::vector<std::size_t> shape) {
  const TensorView* tensor = files_.find(tensor_name);
  const bool is_left_out = std::ranges::any_of(
      files_.left_out(), [&](const LeftOutTensor& left) { return left.name == tensor_name; });
  if (is_left_out) return files_.get(tensor_name);  // its sentence says why
  if (tensor == nullptr) {
    return Error{Errc::kMalformed,
                 fmt::format("expected a tensor {} of shape [{}], found none; the file is "
                             "incomplete or of another architecture",
                             tensor_name, fmt::join(shape, ", ")),
                 where()};
  }
  if (tensor->shape != shape) {
    return Error{Errc::kMalformed,
                 fmt::format("expected tensor {} to have shape [{}], found [{}]", tensor_name,
                             fmt::join(shape, ", "), fmt::join(tensor->shape, ", ")),
                 where()};
  }
  used_.insert(tensor_name);
  return tensor;
}

Result<std::vector<float>> TensorReader::vector_of(const std::string& tensor_name, std::size_t size,
                                                   std::size_t interleaved_head_dim) {
  RR_TRY(const TensorView* tensor, find(tensor_name, {size}));
  std::vector<float> values(size);
  RR_TRY_STATUS(read_row({tensor, 0}, 0, values));
  const RowSource source{tensor, interleaved_head_dim};
  std::vector<float> ordered(size);
  for (std::size_t i = 0; i < size; ++i) ordered[i] = values[source.file_row(i)];
  return ordered;
}

Status TensorReader::read_row(const RowSource& source, std::size_t row,
                              std::span<float> out) const {
  const std::size_t file_row = source.file_row(row);
  dequantize_row(*source.tensor, file_row, out);
  if (is_finite(out.data(), out.size())) return ok_status();
  return Error{Errc::kMalformed,
               fmt::format("expected finite weights, row {} of tensor {} holds infinity or NaN; "
                           "fetch the file again",
                           file_row, source.tensor->name),
               where()};
}

Status TensorReader::read_int4_row(const RowSource& source, std::size_t row,
                                   std::span<Int4Block> out) const {
  std::vector<float> values(source.tensor->row_length());
  RR_TRY_STATUS(read_row(source, row, values));
  const TensorType type = source.tensor->type;
  const std::span<const std::byte> bytes = source.tensor->row(source.file_row(row));
  for (std::size_t b = 0; b < out.size(); ++b) {
    if (type == TensorType::kQ4_0 || type == TensorType::kQ4_1) {
      out[b] = file_block(type, bytes.data() + b * block_shape(type).bytes);
    } else {
      out[b] = quantise_int4(std::span(values).subspan(b * kQuantBlock, kQuantBlock));
    }
  }
  return ok_status();
}

std::size_t TensorReader::interleaved_head_dim() const {
  return is_gguf_ && config_.architecture == "llama" ? config_.head_dim : 0;
}

Status TensorReader::refuse_unknown_biases() const {
  for (const TensorView& tensor : files_.tensors()) {
    if (tensor.name.ends_with(".bias") && !used_.contains(tensor.name)) {
      return Error{Errc::kRejected,
                   fmt::format("tensor {} is a bias that architecture {} as configured does not "
                               "have; this variant is not supported",
                               tensor.name, config_.architecture),
                   where()};
    }
  }
  return ok_status();
}

}  // namespace rr::internal
