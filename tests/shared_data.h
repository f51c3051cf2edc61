#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

// Real collections and vectors live beside the repository and are not part of it. A test that needs
// one runs when it is there, and says aloud when it is not.

namespace rr {

inline std::filesystem::path shared_data(const std::string& name) {
  return std::filesystem::path(RR_SHARED_DATA) / name;
}

// The default model's file: $REASONRANK_TEST_MODEL, else where `reasonrank model pull` puts it.
inline std::filesystem::path default_model_file() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (const std::string path = variable("REASONRANK_TEST_MODEL"); !path.empty()) return path;
  const std::string data_home = variable("XDG_DATA_HOME");
  const std::filesystem::path base =
      data_home.empty() ? variable("HOME") + "/.local/share" : data_home;
  return base / "reasonrank" / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf";
}

}  // namespace rr

#define RR_NEEDS_FILE(path)                                                 \
  do {                                                                      \
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs " << (path); \
  } while (false)
