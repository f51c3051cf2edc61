#include "rr/lm_llama/llama_generator.h"

// In place of the others where llama.cpp was not found.

namespace rr {

std::string LlamaGenerator::library_version() { return ""; }

Result<std::unique_ptr<LlamaGenerator>> LlamaGenerator::load(const std::filesystem::path& path,
                                                             const LlamaOptions&) {
  return Error{Errc::kNotFound,
               "this program was built without llama.cpp; install it and build again with "
               "-DCMAKE_PREFIX_PATH=FOLDER (docs/engines.md)",
               path.string()};
}

}  // namespace rr
