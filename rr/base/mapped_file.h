#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "rr/base/result.h"

namespace rr {

// A regular file mapped read-only into memory. The bytes live as long as the object, also after it
// was moved.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  MappedFile() = default;

  std::span<const std::byte> bytes_;
};

}  // namespace rr
