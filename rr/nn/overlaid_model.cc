#include "rr/nn/overlaid_model.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "rr/nn/internal/tensor_reader.h"

namespace rr {
namespace {

using namespace internal;

constexpr std::string_view kLayers = "model.layers.";

// A tensor of a layer: its number, what it is, and what stands after that.
struct LayerTensor {
  std::size_t layer;
  TensorName name;
  const char* ending;
};

std::optional<LayerTensor> layer_tensor(std::string_view name) {
  if (!name.starts_with(kLayers)) return std::nullopt;
  name.remove_prefix(kLayers.size());
  LayerTensor found{};
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), found.layer);
  if (error != std::errc() || end == name.data() + name.size() || *end != '.') return std::nullopt;
  name.remove_prefix(static_cast<std::size_t>(end - name.data()) + 1);
  for (const TensorName& known : {kAttentionNorm, kFfnNorm, kQNorm, kKNorm, kGate, kUp, kDown}) {
    if (name == known.hugging_face) return LayerTensor{found.layer, known, ""};
  }
  for (const TensorName& known : {kQ, kK, kV, kO}) {
    for (const char* const ending : {".weight", ".bias"}) {
      if (name == std::string(known.hugging_face) + ending) {
        return LayerTensor{found.layer, known, ending};
      }
    }
  }
  return std::nullopt;
}

bool is_rotated(const std::string& name) {
  return name.find(kQ.hugging_face) != std::string::npos ||
         name.find(kK.hugging_face) != std::string::npos;
}

}  // namespace

OverlaidModel::OverlaidModel(std::unique_ptr<ModelFiles> base, DecoderConfig config)
    : base_(std::move(base)),
      config_(std::move(config)),
      tensors_(base_->tensors().begin(), base_->tensors().end()) {
  index_tensors();
}

Result<std::unique_ptr<OverlaidModel>> OverlaidModel::create(std::unique_ptr<ModelFiles> base) {
  RR_TRY(DecoderConfig config, read_decoder_config(*base));
  return std::unique_ptr<OverlaidModel>(new OverlaidModel(std::move(base), std::move(config)));
}

std::string OverlaidModel::file_name(const std::string& name) const {
  const TensorReader reader(*base_, config_);
  for (const TensorName& known : {kEmbedding, kOutputNorm, kOutput}) {
    if (name == known.hugging_face) return reader.name(known);
  }
  const auto found = layer_tensor(name);
  return found ? reader.name(found->layer, found->name, found->ending) : "";
}

Result<OverlaidModel::Editable> OverlaidModel::edit(const std::string& name,
                                                    const std::vector<std::size_t>& shape) {
  const std::string in_file = file_name(name);
  const auto it = std::find_if(tensors_.begin(), tensors_.end(),
                               [&](const TensorView& tensor) { return tensor.name == in_file; });
  if (it == tensors_.end()) {
    return Error{Errc::kRejected, fmt::format("the model has no tensor {}", name), path().string()};
  }
  if (it->shape != shape) {
    return Error{Errc::kRejected,
                 fmt::format("expected {} to have shape [{}] as in the model, found [{}]", name,
                             fmt::join(it->shape, ", "), fmt::join(shape, ", ")),
                 path().string()};
  }
  const TensorReader reader(*base_, config_);
  std::vector<float>& values = values_[in_file];
  if (values.empty()) {
    values.resize(it->num_elements());
    const std::size_t length = it->row_length();
    for (std::size_t r = 0; r < it->num_rows(); ++r) {
      dequantize_row(*it, r, std::span(values).subspan(r * length, length));
    }
    it->type = TensorType::kF32;
    it->bytes = std::as_bytes(std::span(values));
  }
  return Editable{&*it, values.data(), is_rotated(name) ? reader.interleaved_head_dim() : 0};
}

Status OverlaidModel::replace(const std::string& name, const std::vector<std::size_t>& shape,
                              std::span<const float> values) {
  RR_TRY(const Editable target, edit(name, shape));
  const std::size_t length = shape.size() == 1 ? 1 : shape.back();
  const RowSource rows{target.view, target.interleaved_head_dim};
  for (std::size_t r = 0; r < values.size() / length; ++r) {
    std::copy_n(values.data() + r * length, length, target.values + rows.file_row(r) * length);
  }
  return ok_status();
}

Status OverlaidModel::add(const LoraAdapter& adapter) {
  for (const LoraModule& module : adapter.modules()) {
    const std::size_t rank = module.a.num_rows();
    const std::size_t inputs = module.a.row_length();
    const std::size_t outputs = module.b.num_rows();
    auto found = edit(module.name + ".weight", {outputs, inputs});
    if (!found.ok()) {
      Error error = std::move(found).error();
      error.message = "the adapter does not fit the model: " + error.message;
      error.where = adapter.path().string();
      return error;
    }
    const Editable target = found.value();
    std::vector<float> a(rank * inputs);
    for (std::size_t k = 0; k < rank; ++k) {
      dequantize_row(module.a, k, std::span(a).subspan(k * inputs, inputs));
    }
    std::vector<float> b(rank);
    const RowSource rows{target.view, target.interleaved_head_dim};
    for (std::size_t r = 0; r < outputs; ++r) {
      dequantize_row(module.b, r, b);
      float* const row = target.values + rows.file_row(r) * inputs;
      for (std::size_t k = 0; k < rank; ++k) {
        const float factor = module.scale * b[k];
        for (std::size_t i = 0; i < inputs; ++i) row[i] += factor * a[k * inputs + i];
      }
    }
  }
  return ok_status();
}

}  // namespace rr
