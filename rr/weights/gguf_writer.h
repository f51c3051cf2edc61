#pragma once

#include <filesystem>
#include <span>

#include "rr/base/result.h"
#include "rr/weights/model_files.h"
#include "rr/weights/tensor.h"

namespace rr {

// Writes a GGUF file (version 3), whole or not at all: the metadata of another one as it stands
// there, and tensors under their names. Matrices are converted to `type` (convert_tensor.h), those
// whose rows are no whole blocks of it to kF16; vectors to float32. general.file_type is the old
// file's: readers go by each tensor's own type.
Status write_gguf(const std::filesystem::path& path, const GgufEntries& entries,
                  std::span<const TensorView> tensors, TensorType type);

}  // namespace rr
