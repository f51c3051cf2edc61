#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "rr/base/atomic_file.h"

namespace rr {

// A file with this content, for one test; gone when the object is.
class TestFile {
 public:
  explicit TestFile(std::string_view content, const std::string& name = "file") {
    static int count = 0;
    folder_ = std::filesystem::temp_directory_path() /
              ("rr-ir-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories((folder_ / name).parent_path());
    path_ = folder_ / name;
    EXPECT_TRUE(write_file(path_, content).ok());
  }
  ~TestFile() { std::filesystem::remove_all(folder_); }
  TestFile(const TestFile&) = delete;
  TestFile& operator=(const TestFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::filesystem::path path_;
};

// What a failed Result says after the file's name: "3: expected ...". Empty where it did not fail.
template <typename T>
std::string failure_of(const Result<T>& result, const TestFile& file) {
  if (result.ok()) return "";
  std::string text = result.error().to_string();
  const std::string prefix = file.path().string();
  EXPECT_TRUE(text.starts_with(prefix)) << text;
  text.erase(0, prefix.size());
  if (text.starts_with(":")) text.erase(0, 1);
  return text;
}

}  // namespace rr
