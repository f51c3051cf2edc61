#include "rr/train/trained_model.h"

#include <fmt/core.h>

#include <charconv>
#include <map>
#include <span>
#include <utility>

#include "rr/train/learning_settings.h"
#include "rr/weights/fingerprint.h"
#include "rr/weights/lora_adapter.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "weights/";

// The floats of a checkpoint's tensor: always float32, aligned in the file.
std::span<const float> floats_of(const TensorView& tensor) {
  return {static_cast<const float*>(static_cast<const void*>(tensor.bytes.data())),
          tensor.num_elements()};
}

// The adapter of a run, as if PEFT had written it.
class RunAdapter final : public LoraAdapter {
 public:
  RunAdapter(fs::path path, const TrainedWeights& weights) : path_(std::move(path)) {
    const LoraShape shape = *weights.base().lora;
    std::map<std::string, LoraModule> modules;
    for (const auto& [name, view] : weights.tensors()) {
      const std::size_t at = name.rfind(".lora_");
      LoraModule& module = modules[name.substr(0, at)];
      module.name = name.substr(0, at);
      module.scale = shape.alpha / static_cast<float>(shape.rank);
      (name.compare(at, 7, ".lora_A") == 0 ? module.a : module.b) = *view;
    }
    for (auto& [name, module] : modules) modules_.push_back(std::move(module));
  }

  const fs::path& path() const override { return path_; }
  std::span<const LoraModule> modules() const override { return modules_; }

 private:
  fs::path path_;
  std::vector<LoraModule> modules_;
};

}  // namespace

Result<RunModel> run_model_from_json(const Json& run, const std::string& where) {
  RunModel model;
  try {
    const Json& settings = run.at("settings");
    settings.at("model").get_to(model.model);
    if (settings.contains("adapter")) settings.at("adapter").get_to(model.adapters);
    const auto rank = settings.at("lora").get<std::size_t>();
    const auto alpha = settings.at("lora-alpha").get<double>();
    model.lora = lora_shape(rank, alpha);
  } catch (const Json::exception& error) {
    return Error{Errc::kMalformed,
                 fmt::format("expected the settings of a run of this version, found others ({})",
                             error.what()),
                 where};
  }
  return model;
}

Result<TrainedWeights> TrainedWeights::open(const RunFolder& folder) {
  TrainedWeights weights;
  weights.path_ = folder.path();
  const std::string where = (folder.path() / "run.json").string();
  RR_TRY(weights.base_, run_model_from_json(folder.run(), where));
  RR_TRY(weights.base_sha256_, json_string(folder.run(), "model_sha256", where));
  RR_TRY(const fs::path checkpoint, folder.best_checkpoint());
  RR_TRY(weights.file_, TensorFile::open(checkpoint));
  const std::string& step = weights.file_->metadata().at("step");
  std::from_chars(step.data(), step.data() + step.size(), weights.step_);
  for (const TensorView& tensor : weights.file_->tensors()) {
    if (!tensor.name.starts_with(kPrefix)) continue;
    weights.tensors_.push_back({tensor.name.substr(kPrefix.size()), &tensor});
  }
  return weights;
}

Status TrainedWeights::lay_over(OverlaidModel& model) const {
  if (fingerprint(model) != base_sha256_) {
    for (const std::string& adapter : base_.adapters) {
      RR_TRY_STATUS(lay_adapter_over(model, adapter));
    }
  }
  if (fingerprint(model) != base_sha256_) return other_model(model);
  if (is_adapter()) return model.add(RunAdapter(path_, *this));
  for (const Tensor& tensor : tensors_) {
    RR_TRY_STATUS(model.replace(tensor.name, tensor.view->shape, floats_of(*tensor.view)));
  }
  return ok_status();
}

Status TrainedWeights::lay_beside(OverlaidModel& model, AdapterStack& adapters) const {
  if (!is_adapter()) return lay_over(model);
  if (fingerprint(model) != base_sha256_) {
    // What the run began with has to be made once, to be known again.
    RR_TRY(std::unique_ptr<ModelFiles> base, ModelFiles::open(model.path()));
    RR_TRY(const std::unique_ptr<OverlaidModel> begin, OverlaidModel::create(std::move(base)));
    for (const std::string& adapter : base_.adapters) {
      RR_TRY_STATUS(lay_adapter_over(*begin, adapter));
    }
    if (fingerprint(*begin) != base_sha256_) return other_model(model);
    for (const std::string& adapter : base_.adapters) {
      if (!adapters.has(adapter)) RR_TRY_STATUS(lay_adapter_beside(model, adapters, adapter));
    }
  }
  return adapters.add(RunAdapter(path_, *this));
}

Error TrainedWeights::other_model(const ModelFiles& found) const {
  return {Errc::kRejected,
          fmt::format("expected the model that the run began with, {}, found another one ({})",
                      base_.model, found.path().string()),
          path_.string()};
}

namespace {

bool is_run(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / "run.json", error);
}

Result<TrainedWeights> open_run(const fs::path& folder) {
  RR_TRY(const RunFolder run, RunFolder::open(folder));
  return TrainedWeights::open(run);
}

}  // namespace

Status lay_adapter_over(OverlaidModel& model, const fs::path& adapter) {
  if (!is_run(adapter)) {
    RR_TRY(const std::unique_ptr<LoraAdapter> peft, LoraAdapter::open(adapter));
    return model.add(*peft);
  }
  RR_TRY(const TrainedWeights weights, open_run(adapter));
  return weights.lay_over(model);
}

Status lay_adapter_beside(OverlaidModel& model, AdapterStack& adapters, const fs::path& adapter) {
  if (!is_run(adapter)) {
    RR_TRY(const std::unique_ptr<LoraAdapter> peft, LoraAdapter::open(adapter));
    return adapters.add(*peft);
  }
  RR_TRY(const TrainedWeights weights, open_run(adapter));
  return weights.lay_beside(model, adapters);
}

}  // namespace rr
