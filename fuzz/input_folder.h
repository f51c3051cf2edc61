#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "rr/base/check.h"

namespace rr {

// A folder of the fuzzer's files, for readers that take one; it goes with the object.
class InputFolder {
 public:
  InputFolder() {
    std::string name = std::filesystem::temp_directory_path() / "rr-fuzz-XXXXXX";
    RR_CHECK(::mkdtemp(name.data()) != nullptr, "a folder");
    path_ = name;
  }
  ~InputFolder() { std::filesystem::remove_all(path_); }
  InputFolder(const InputFolder&) = delete;
  InputFolder& operator=(const InputFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void write(const std::string& name, const std::uint8_t* data, std::size_t size) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  }

 private:
  std::filesystem::path path_;
};

}  // namespace rr
