#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "rr/base/atomic_file.h"
#include "rr/base/json.h"
#include "rr/bm25/index_builder.h"
#include "tests/test_folder.h"

namespace rr {

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
