#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/result.h"
#include "rr/nn/decoder_config.h"
#include "rr/weights/lora_adapter.h"
#include "rr/weights/model_files.h"

namespace rr {

// A model some of whose tensors are others: what training or an adapter made of them. Everything
// else is the base's. Tensors are named as Hugging Face has them ("model.norm.weight") and laid out
// so (q and k half-split), whatever the base's format; they are kept in float32.
class OverlaidModel : public ModelFiles {
 public:
  // Fails where the base is no decoder of the family (decoder_config.h).
  static Result<std::unique_ptr<OverlaidModel>> create(std::unique_ptr<ModelFiles> base);

  // Puts `values` in the place of a tensor. Refused: a tensor that the base lacks, another shape.
  Status replace(const std::string& name, const std::vector<std::size_t>& shape,
                 std::span<const float> values);

  // Adds scale * B A of every module to its weight. Refused, by name: a module that is no linear
  // layer of the base, other shapes than its own. Several adapters may be added, one after another.
  Status add(const LoraAdapter& adapter);

  Format format() const override { return base_->format(); }
  const std::filesystem::path& path() const override { return base_->path(); }
  std::span<const TensorView> tensors() const override { return tensors_; }
  std::span<const LeftOutTensor> left_out() const override { return base_->left_out(); }
  const Json& metadata() const override { return base_->metadata(); }
  Result<std::optional<std::string>> read_side_file(std::string_view name) const override {
    return base_->read_side_file(name);
  }
  std::optional<GgufEntries> gguf_entries() const override { return base_->gguf_entries(); }

  // "model.layers.0.mlp.up_proj.weight" as the base's file calls it; empty for no tensor of a
  // decoder.
  std::string file_name(const std::string& name) const;

 private:
  OverlaidModel(std::unique_ptr<ModelFiles> base, DecoderConfig config);

  // The tensor of that name, in float32 and to be changed; nullptr where there is none.
  struct Editable {
    TensorView* view;
    float* values;
    std::size_t interleaved_head_dim;
  };
  Result<Editable> edit(const std::string& name, const std::vector<std::size_t>& shape);

  std::unique_ptr<ModelFiles> base_;
  DecoderConfig config_;
  std::vector<TensorView> tensors_;
  std::map<std::string, std::vector<float>> values_;  // by the file's name
};

}  // namespace rr
