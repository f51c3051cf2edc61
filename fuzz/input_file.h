#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "rr/base/check.h"

namespace rr {

// The fuzzer's bytes as a file, for readers that take a path; it lives in memory only.
class InputFile {
 public:
  InputFile(const std::uint8_t* data, std::size_t size) : descriptor_(::memfd_create("input", 0)) {
    RR_CHECK(descriptor_ >= 0, "a file in memory");
    while (size > 0) {
      const ::ssize_t written = ::write(descriptor_, data, size);
      RR_CHECK(written > 0, "bytes into a file in memory");
      data += written;
      size -= static_cast<std::size_t>(written);
    }
  }
  explicit InputFile(const std::string& text)
      : InputFile(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()) {}
  ~InputFile() { ::close(descriptor_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

}  // namespace rr
