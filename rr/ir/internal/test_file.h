#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "rr/base/result.h"
#include "tests/test_folder.h"

namespace rr {

// A file with this content, for one test; gone when the object is.
class TestFile {
 public:
  explicit TestFile(std::string_view content, const std::string& name = "file")
      : path_(folder_.write(name, content)) {}

  const std::filesystem::path& path() const { return path_; }

 private:
  TestFolder folder_;
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
