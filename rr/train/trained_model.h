#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/nn/adapter_stack.h"
#include "rr/nn/overlaid_model.h"
#include "rr/nn/parameter.h"
#include "rr/train/checkpoint.h"
#include "rr/weights/tensor_file.h"

namespace rr {

// The model that a run of any kind began with, and what of it learnt.
struct RunModel {
  std::string model;                  // the path
  std::vector<std::string> adapters;  // folded into it first, in this order
  std::optional<LoraShape> lora;      // nullopt: all weights learnt
};

// Of run.json.
Result<RunModel> run_model_from_json(const Json& run, const std::string& where);

// What a run has learnt so far: the weights of a checkpoint, full or an adapter.
class TrainedWeights {
 public:
  // The best checkpoint (the newest, where no held-out loss was measured), whole and checked.
  static Result<TrainedWeights> open(const RunFolder& folder);

  const RunModel& base() const { return base_; }
  bool is_adapter() const { return base_.lora.has_value(); }
  std::size_t step() const { return step_; }

  // The tensors as training names them, with their checkpoint's prefix taken off.
  struct Tensor {
    std::string name;
    const TensorView* view;
  };
  const std::vector<Tensor>& tensors() const { return tensors_; }

  // Puts them over the model that the run began with: the base model, or that with the adapters
  // that were folded into it, which are laid over it first where they are not yet. Refused: another
  // base.
  Status lay_over(OverlaidModel& model) const;

  // The same with adapters left beside the weights, those that were folded in included where they
  // are not there yet.
  Status lay_beside(OverlaidModel& model, AdapterStack& adapters) const;

 private:
  TrainedWeights() = default;
  Error other_model(const ModelFiles& found) const;

  RunModel base_;
  std::string base_sha256_;
  std::filesystem::path path_;
  std::size_t step_ = 0;
  std::unique_ptr<TensorFile> file_;
  std::vector<Tensor> tensors_;
};

// Lays an adapter over a model: a folder in PEFT's layout, or a run's.
Status lay_adapter_over(OverlaidModel& model, const std::filesystem::path& adapter);

// Puts it into `adapters` and leaves the model's weights as they are, but for a run in which all
// weights learnt. For models whose weights are kept in few bits (adapter_stack.h).
Status lay_adapter_beside(OverlaidModel& model, AdapterStack& adapters,
                          const std::filesystem::path& adapter);

}  // namespace rr
