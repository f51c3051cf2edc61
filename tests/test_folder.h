#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "rr/base/check.h"

namespace rr {

// An empty folder for one test; gone, with what is in it, when the object is.
class TestFolder {
 public:
  TestFolder() {
    std::string name = std::filesystem::temp_directory_path() / "rr-test-XXXXXX";
    RR_CHECK(::mkdtemp(name.data()) != nullptr, "tests need a place for temporary folders");
    path_ = name;
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  operator const std::filesystem::path&() const { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }

  // Writes the file, and the folders above it where they are not there. Gives its path.
  std::filesystem::path write(const std::filesystem::path& name, std::string_view text) const {
    std::filesystem::path file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream stream(file, std::ios::binary);
    RR_CHECK(stream << text << std::flush, "a test can write into its own folder");
    return file;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace rr
