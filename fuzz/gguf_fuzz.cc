// Any bytes as a GGUF file: an error or a model whose tensors can be read, never a crash.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "rr/weights/internal/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto contents = rr::internal::parse_gguf(std::as_bytes(std::span(data, size)), "input");
  if (!contents.ok()) return 0;
  std::vector<float> row;
  for (const rr::TensorView& tensor : contents->tensors) {
    row.resize(tensor.row_length());
    for (std::size_t i = 0; i < tensor.num_rows(); ++i) rr::dequantize_row(tensor, i, row);
  }
  rr::to_json_line(contents->metadata);
  return 0;
}
