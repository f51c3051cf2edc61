#pragma once

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

// Real collections and vectors live beside the repository and are not part of it. A test that needs
// one runs when it is there, and says aloud when it is not.

namespace rr {

// A file or folder of the collections; there or not.
std::filesystem::path shared_data(const std::string& name);

// The default model's file: $REASONRANK_TEST_MODEL, else where `reasonrank model pull` puts it.
std::filesystem::path default_model_file();

}  // namespace rr

#define RR_NEEDS_FILE(path)                                                 \
  do {                                                                      \
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs " << (path); \
  } while (false)
