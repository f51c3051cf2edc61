#include "rr/train/export_model.h"

#include <fmt/core.h>

#include <string>
#include <utility>
#include <vector>

#include "rr/base/atomic_file.h"
#include "rr/weights/convert_tensor.h"
#include "rr/weights/gguf_writer.h"
#include "rr/weights/lora_adapter.h"
#include "rr/weights/tensor_file.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

// What a Hugging Face folder has beside its tensors and models need.
constexpr const char* kSideFiles[] = {"config.json",        "generation_config.json",
                                      "tokenizer.json",     "tokenizer_config.json",
                                      "vocab.json",         "merges.txt",
                                      "added_tokens.json",  "special_tokens_map.json",
                                      "chat_template.jinja"};

Error refused(std::string message, const fs::path& where) {
  return {Errc::kRejected, std::move(message), where.string()};
}

Status make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) return ok_status();
  return refused("cannot be made: " + error.message(), folder);
}

}  // namespace

Status export_peft(const TrainedWeights& weights, const fs::path& folder) {
  if (!weights.is_adapter()) {
    return refused("all weights learnt in this run: it has no adapter; take safetensors or gguf",
                   folder);
  }
  if (!weights.base().adapters.empty()) {
    return refused(
        "the run began with an adapter folded in, which its own would lack; take "
        "safetensors or gguf",
        folder);
  }
  std::vector<LoraTensorToWrite> tensors;
  for (const auto& [name, view] : weights.tensors()) {
    tensors.push_back({name,
                       view->shape,
                       {static_cast<const float*>(static_cast<const void*>(view->bytes.data())),
                        view->num_elements()}});
  }
  const LoraShape shape = *weights.base().lora;
  return write_lora_adapter(folder, tensors, shape.rank, static_cast<double>(shape.alpha),
                            weights.base().model);
}

Status export_safetensors(const OverlaidModel& model, TensorType type, const fs::path& folder) {
  if (model.format() != ModelFiles::Format::kHuggingFace) {
    return refused("the run's model is a GGUF file: export it as gguf", model.path());
  }
  RR_TRY_STATUS(make_folder(folder));
  std::vector<std::vector<std::byte>> bytes;
  std::vector<TensorToWrite> tensors;
  for (const TensorView& tensor : model.tensors()) {
    bytes.push_back(convert_tensor(tensor, type));
    tensors.push_back({tensor.name, type, tensor.shape, bytes.back()});
  }
  for (const char* const name : kSideFiles) {
    RR_TRY(const std::optional<std::string> text, model.read_side_file(name));
    if (text) RR_TRY_STATUS(write_file(folder / name, *text));
  }
  return write_tensor_file(folder / "model.safetensors", tensors, {{"format", "pt"}});
}

Status export_gguf(const OverlaidModel& model, TensorType type, const fs::path& file) {
  if (!model.gguf_entries()) {
    return refused("the run's model is a Hugging Face folder: export it as safetensors",
                   model.path());
  }
  return write_gguf(file, *model.gguf_entries(), model.tensors(), type);
}

}  // namespace rr
