#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/weights/tensor.h"

namespace rr {

// A .safetensors file by itself: tensors and a table of texts. Adapters and checkpoints are such
// files; a whole model is read by ModelFiles.
class TensorFile {
 public:
  // Mapped, not read, and checked as ModelFiles are. A tensor of a type that is not read (F32, F16
  // and BF16 are) is refused.
  static Result<std::unique_ptr<TensorFile>> open(const std::filesystem::path& path);

  virtual ~TensorFile() = default;

  virtual std::span<const TensorView> tensors() const = 0;
  virtual const std::map<std::string, std::string>& metadata() const = 0;

  // nullptr where there is none of that name.
  const TensorView* find(std::string_view name) const;
};

// A tensor to be written. `bytes` fit type and shape.
struct TensorToWrite {
  std::string name;
  TensorType type;  // kF32, kF16 or kBF16
  std::vector<std::size_t> shape;
  std::span<const std::byte> bytes;
};

// Writes a .safetensors file whole or not at all (base/atomic_file.h): tensors in the order given,
// data aligned to 64 bytes.
Status write_tensor_file(const std::filesystem::path& path, std::span<const TensorToWrite> tensors,
                         const std::map<std::string, std::string>& metadata = {});

}  // namespace rr
