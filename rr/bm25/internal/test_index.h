#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/atomic_file.h"
#include "rr/base/json.h"
#include "rr/bm25/index_builder.h"

namespace rr {

// A folder for one test; gone when the object is.
class TestFolder {
 public:
  TestFolder() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("rr-bm25-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(path_);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

struct TestDocument {
  std::string docid;
  std::string text;
};

inline void write_corpus(const std::filesystem::path& path,
                         const std::vector<TestDocument>& documents) {
  std::string lines;
  for (const TestDocument& document : documents) {
    lines += to_json_line({{"_id", document.docid}, {"text", document.text}}) + "\n";
  }
  EXPECT_TRUE(write_file(path, lines).ok());
}

}  // namespace rr
