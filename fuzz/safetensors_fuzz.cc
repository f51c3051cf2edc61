// Any bytes as a safetensors file and as the index of a sharded one: an error or tensors that can
// be read, never a crash.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "rr/base/check.h"
#include "rr/weights/internal/safetensors.h"

namespace {

void read_as_file(std::span<const std::byte> bytes) {
  const auto contents = rr::internal::parse_safetensors(bytes, "input");
  if (!contents.ok()) return;
  std::vector<float> row;
  for (const rr::TensorView& tensor : contents->tensors) {
    row.resize(tensor.row_length());
    for (std::size_t i = 0; i < tensor.num_rows(); ++i) rr::dequantize_row(tensor, i, row);
  }
}

void read_as_index(std::string_view text) {
  const auto shards = rr::internal::parse_safetensors_index(text, "input");
  if (!shards.ok()) return;
  for (const auto& [tensor, shard] : shards.value()) {
    RR_CHECK(shard.find('/') == std::string::npos && shard != "..", "a shard leads out");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  read_as_file(std::as_bytes(std::span(data, size)));
  read_as_index({reinterpret_cast<const char*>(data), size});
  return 0;
}
