#include "rr/weights/gguf_writer.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "rr/base/atomic_file.h"
#include "rr/base/check.h"
#include "rr/weights/convert_tensor.h"

namespace rr {
namespace {

template <typename T>
void put(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

// ggml_type of ggml.h.
std::uint32_t type_number(TensorType type) {
  switch (type) {
    case TensorType::kF32:
      return 0;
    case TensorType::kF16:
      return 1;
    case TensorType::kQ4_0:
      return 2;
    case TensorType::kQ8_0:
      return 8;
    case TensorType::kBF16:
      return 30;
    default:
      break;
  }
  RR_CHECK(false, "a type that can be written");
  return 0;
}

TensorType type_for(const TensorView& tensor, TensorType wanted) {
  if (tensor.shape.size() < 2) return TensorType::kF32;
  return tensor.row_length() % block_shape(wanted).elements == 0 ? wanted : TensorType::kF16;
}

std::size_t bytes_of(const TensorView& tensor, TensorType type) {
  const BlockShape block = block_shape(type);
  return tensor.num_elements() / block.elements * block.bytes;
}

std::size_t padding(std::size_t size, std::size_t alignment) {
  return (alignment - size % alignment) % alignment;
}

std::string head_of(const GgufEntries& entries, std::span<const TensorView> tensors,
                    TensorType type, std::size_t alignment) {
  std::string head = "GGUF";
  put<std::uint32_t>(head, 3);
  put<std::uint64_t>(head, tensors.size());
  put<std::uint64_t>(head, entries.count);
  head.append(reinterpret_cast<const char*>(entries.bytes.data()), entries.bytes.size());
  std::uint64_t offset = 0;
  for (const TensorView& tensor : tensors) {
    const TensorType stored = type_for(tensor, type);
    put<std::uint64_t>(head, tensor.name.size());
    head += tensor.name;
    put<std::uint32_t>(head, static_cast<std::uint32_t>(tensor.shape.size()));
    for (std::size_t d = tensor.shape.size(); d-- > 0;) {
      put<std::uint64_t>(head, tensor.shape[d]);  // the contiguous one first
    }
    put<std::uint32_t>(head, type_number(stored));
    put<std::uint64_t>(head, offset);
    const std::size_t size = bytes_of(tensor, stored);
    offset += size + padding(size, alignment);
  }
  head.append(padding(head.size(), alignment), '\0');
  return head;
}

}  // namespace

Status write_gguf(const std::filesystem::path& path, const GgufEntries& entries,
                  std::span<const TensorView> tensors, TensorType type) {
  const std::size_t alignment = entries.alignment;
  RR_TRY(AtomicFile file, AtomicFile::create(path));
  RR_TRY_STATUS(file.write(head_of(entries, tensors, type, alignment)));
  for (const TensorView& tensor : tensors) {
    const std::vector<std::byte> bytes = convert_tensor(tensor, type_for(tensor, type));
    RR_TRY_STATUS(file.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    RR_TRY_STATUS(file.write(std::string(padding(bytes.size(), alignment), '\0')));
  }
  return file.commit();
}

}  // namespace rr
