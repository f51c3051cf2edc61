#pragma once

#include <optional>
#include <string>

#include "rr/base/result.h"
#include "rr/weights/tensor.h"

namespace rr {

// What `export` writes of a run: an adapter as PEFT has it, the whole model as a Hugging Face
// folder or as a GGUF file.
enum class ModelFormat { kPeft, kSafetensors, kGguf };

struct RunExport {
  std::string run;  // the run's folder
  std::optional<ModelFormat> format;
  TensorType type = TensorType::kBF16;  // of matrices
  std::string output;
};

// A command line that asks for what cannot be, in a sentence; empty: it is fine. Requires a format.
std::string misuse(const RunExport& options);

// Requires a format and no misuse.
Status export_run(const RunExport& options);

}  // namespace rr
