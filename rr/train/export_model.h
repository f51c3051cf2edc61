#pragma once

#include <filesystem>

#include "rr/base/result.h"
#include "rr/nn/overlaid_model.h"
#include "rr/train/trained_model.h"
#include "rr/weights/tensor.h"

namespace rr {

// Writes a run's adapter in PEFT's layout (weights/lora_adapter.h), in float32. Refused: a run in
// which all weights learnt.
Status export_peft(const TrainedWeights& weights, const std::filesystem::path& folder);

// Writes a model with what was laid over it as a Hugging Face folder: model.safetensors in `type`
// (kBF16, kF16 or kF32) and the side files of its base. Refused: a base that is a GGUF file.
Status export_safetensors(const OverlaidModel& model, TensorType type,
                          const std::filesystem::path& folder);

// The same as a GGUF file with the metadata of its base: matrices in `type` (those and kQ8_0),
// vectors in float32. Refused: a base that is a Hugging Face folder.
Status export_gguf(const OverlaidModel& model, TensorType type, const std::filesystem::path& file);

}  // namespace rr
