#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "rr/base/result.h"
#include "rr/weights/model_store.h"

namespace rr::internal {

// pull_default_model for any model and any python3: a path, or a name that is looked up in PATH.
Result<std::filesystem::path> pull_model(const PublishedModel& model,
                                         const std::filesystem::path& directory,
                                         const std::string& python,
                                         const std::function<void(const std::string&)>& say);

}  // namespace rr::internal
