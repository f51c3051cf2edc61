#include "rr/weights/tensor_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "rr/base/atomic_file.h"
#include "rr/base/check.h"
#include "rr/base/json.h"
#include "rr/base/mapped_file.h"
#include "rr/weights/internal/safetensors.h"

namespace rr {
namespace {

class MappedTensorFile final : public TensorFile {
 public:
  MappedTensorFile(MappedFile file, internal::SafetensorsContents contents)
      : file_(std::move(file)), contents_(std::move(contents)) {}

  std::span<const TensorView> tensors() const override { return contents_.tensors; }
  const std::map<std::string, std::string>& metadata() const override { return contents_.metadata; }

 private:
  MappedFile file_;
  internal::SafetensorsContents contents_;
};

Json header_of(std::span<const TensorToWrite> tensors,
               const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t end = 0;
  for (const TensorToWrite& tensor : tensors) {
    const std::size_t begin = end;
    end += tensor.bytes.size();
    header[tensor.name] = {{"dtype", tensor_type_name(tensor.type)},
                           {"shape", tensor.shape},
                           {"data_offsets", {begin, end}}};
  }
  return header;
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<std::unique_ptr<TensorFile>> TensorFile::open(const std::filesystem::path& path) {
  RR_TRY(MappedFile file, MappedFile::open(path));
  RR_TRY(internal::SafetensorsContents contents,
         internal::parse_safetensors(file.bytes(), path.string()));
  if (!contents.left_out.empty()) {
    const LeftOutTensor& left = contents.left_out.front();
    return Error{Errc::kMalformed, fmt::format("tensor {} {}", left.name, left.reason),
                 path.string()};
  }
  return std::unique_ptr<TensorFile>(
      std::make_unique<MappedTensorFile>(std::move(file), std::move(contents)));
}

const TensorView* TensorFile::find(std::string_view name) const {
  for (const TensorView& tensor : tensors()) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

Status write_tensor_file(const std::filesystem::path& path, std::span<const TensorToWrite> tensors,
                         const std::map<std::string, std::string>& metadata) {
  constexpr std::size_t kAlignment = 64;
  constexpr std::size_t kLengthBytes = sizeof(std::uint64_t);
  std::string header = header_of(tensors, metadata).dump();
  const std::size_t unpadded = kLengthBytes + header.size();
  header.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  const std::uint64_t length = header.size();
  RR_TRY(AtomicFile file, AtomicFile::create(path));
  RR_TRY_STATUS(file.write({reinterpret_cast<const char*>(&length), sizeof length}));
  RR_TRY_STATUS(file.write(header));
  for (const TensorToWrite& tensor : tensors) {
    RR_CHECK(block_shape(tensor.type).elements == 1, "safetensors holds plain types only");
    RR_TRY_STATUS(file.write(text_of(tensor.bytes)));
  }
  return file.commit();
}

}  // namespace rr
