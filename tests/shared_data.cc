#include "tests/shared_data.h"

#include <cstdlib>

namespace rr {

std::filesystem::path shared_data(const std::string& name) {
  return std::filesystem::path(RR_SHARED_DATA) / name;
}

std::filesystem::path default_model_file() {
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
