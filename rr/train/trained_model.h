#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/nn/overlaid_model.h"
#include "rr/train/checkpoint.h"
#include "rr/train/sft_settings.h"
#include "rr/weights/tensor_file.h"

namespace rr {

// What a run has learnt so far: the weights of a checkpoint, full or an adapter.
class TrainedWeights {
 public:
  // The best checkpoint (the newest, where no held-out loss was measured), whole and checked.
  static Result<TrainedWeights> open(const RunFolder& folder);

  const SftSettings& settings() const { return settings_; }
  bool is_adapter() const { return settings_.lora > 0; }
  std::size_t step() const { return step_; }

  // The tensors as training names them, with their checkpoint's prefix taken off.
  struct Tensor {
    std::string name;
    const TensorView* view;
  };
  const std::vector<Tensor>& tensors() const { return tensors_; }

  // Puts them over the base model that the run began with. Refused: another base.
  Status lay_over(OverlaidModel& model) const;

 private:
  TrainedWeights() = default;

  SftSettings settings_;
  std::string base_sha256_;
  std::filesystem::path path_;
  std::size_t step_ = 0;
  std::unique_ptr<TensorFile> file_;
  std::vector<Tensor> tensors_;
};

// Lays an adapter over a model: a folder in PEFT's layout, or a run's.
Status lay_adapter_over(OverlaidModel& model, const std::filesystem::path& adapter);

}  // namespace rr
