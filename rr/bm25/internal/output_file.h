#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

#include "rr/base/json.h"
#include "rr/base/result.h"

namespace rr::internal {

// A file of an index while it is written: counts its bytes and their CRC-32 (zlib's). What is left
// of it when it is dropped goes with its folder.
class OutputFile {
 public:
  static Result<OutputFile> create(const std::filesystem::path& path);

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;
  ~OutputFile();

  Status write(std::string_view bytes);

  // Syncs to disk and closes. A full disk shows here at the latest.
  Status close();

  std::uint64_t size() const { return size_; }

  // {"bytes": ..., "crc32": ...}
  Json seal() const;

 private:
  OutputFile() = default;
  Error failure() const;

  std::FILE* file_ = nullptr;
  std::filesystem::path path_;
  std::uint64_t size_ = 0;
  std::uint32_t crc_ = 0;
};

std::uint32_t crc32_of(std::string_view bytes, std::uint32_t before = 0);

}  // namespace rr::internal
