#pragma once

#include <string>

#include "rr/weights/model_files.h"

namespace rr {

// Tells one model from another: SHA-256 over the names, types and shapes of all tensors and the
// first 4 KiB of each one's data. Quick for any size; the same for a file and its copy.
std::string fingerprint(const ModelFiles& files);

}  // namespace rr
