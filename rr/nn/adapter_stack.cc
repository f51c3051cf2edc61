#include "rr/nn/adapter_stack.h"

#include <fmt/core.h>

#include <algorithm>
#include <span>

#include "rr/nn/internal/tensor_reader.h"

namespace rr {
namespace {

using namespace internal;

// Without ".weight", which tensors of feed-forward layers have in their name and others do not.
std::string module_name(std::size_t layer, const TensorName& tensor) {
  const std::string name = fmt::format("model.layers.{}.{}", layer, tensor.hugging_face);
  return name.substr(0, name.rfind(".weight"));
}

// A row of a matrix beside which there are others of the same number of rows.
std::span<float> part_of_row(std::vector<float>& matrix, std::size_t row, std::size_t length,
                             std::size_t start, std::size_t count) {
  return std::span(matrix).subspan(row * length + start, count);
}

}  // namespace

AdapterStack::AdapterStack(const DecoderConfig& config) {
  const std::size_t q = config.num_heads * config.head_dim;
  const std::size_t kv = config.num_kv_heads * config.head_dim;
  const std::size_t hidden = config.hidden_size;
  for (std::size_t i = 0; i < config.num_layers; ++i) {
    modules_[module_name(i, kQ)] = {q, hidden, {}, {}};
    modules_[module_name(i, kK)] = {kv, hidden, {}, {}};
    modules_[module_name(i, kV)] = {kv, hidden, {}, {}};
    modules_[module_name(i, kO)] = {hidden, q, {}, {}};
    modules_[module_name(i, kGate)] = {config.ffn_size, hidden, {}, {}};
    modules_[module_name(i, kUp)] = {config.ffn_size, hidden, {}, {}};
    modules_[module_name(i, kDown)] = {hidden, config.ffn_size, {}, {}};
  }
}

Status AdapterStack::add(const LoraAdapter& adapter) {
  std::size_t rank = 0;
  for (const LoraModule& module : adapter.modules()) {
    const auto known = modules_.find(module.name);
    if (known == modules_.end()) {
      return Error{Errc::kRejected,
                   fmt::format("the adapter does not fit the model: the model has no linear layer "
                               "{}",
                               module.name),
                   adapter.path().string()};
    }
    const Module& target = known->second;
    if (module.a.row_length() != target.inputs || module.b.num_rows() != target.outputs) {
      return Error{Errc::kRejected,
                   fmt::format("the adapter does not fit the model: expected {} to have shape [{}, "
                               "{}] as in the model, found [{}, {}]",
                               module.name, target.outputs, target.inputs, module.b.num_rows(),
                               module.a.row_length()),
                   adapter.path().string()};
    }
    rank = std::max(rank, module.a.num_rows());
  }
  paths_.push_back(adapter.path());
  if (rank == 0) return ok_status();
  if (empty()) scale_ = adapter.modules().front().scale;
  const std::size_t first = rank_;
  widen(rank_ + rank);
  for (const LoraModule& module : adapter.modules()) {
    Module& target = modules_.at(module.name);
    for (std::size_t k = 0; k < module.a.num_rows(); ++k) {
      dequantize_row(module.a, k,
                     part_of_row(target.a, first + k, target.inputs, 0, target.inputs));
    }
    for (std::size_t r = 0; r < target.outputs; ++r) {
      const auto row = part_of_row(target.b, r, rank_, first, module.a.num_rows());
      dequantize_row(module.b, r, row);
      if (module.scale == scale_) continue;
      for (float& value : row) value *= module.scale / scale_;
    }
  }
  return ok_status();
}

// Makes room for so many ranks, with zeros for the new ones.
void AdapterStack::widen(std::size_t rank) {
  for (auto& [name, module] : modules_) {
    module.a.resize(rank * module.inputs);
    std::vector<float> b(module.outputs * rank);
    for (std::size_t r = 0; r < module.outputs && rank_ > 0; ++r) {
      const auto old = part_of_row(module.b, r, rank_, 0, rank_);
      std::copy(old.begin(), old.end(), part_of_row(b, r, rank, 0, rank_).begin());
    }
    module.b = std::move(b);
  }
  rank_ = rank;
}

bool AdapterStack::has(const std::filesystem::path& path) const {
  return std::any_of(paths_.begin(), paths_.end(), [&](const std::filesystem::path& known) {
    std::error_code error;
    return known == path || std::filesystem::equivalent(known, path, error);
  });
}

LoraShape AdapterStack::shape() const { return {rank_, scale_ * static_cast<float>(rank_)}; }

std::vector<Parameter> AdapterStack::parameters() {
  std::vector<Parameter> parameters;
  for (auto& [name, module] : modules_) {
    parameters.push_back({name + ".lora_A.weight", {rank_, module.inputs}, module.a, {}});
    parameters.push_back({name + ".lora_B.weight", {module.outputs, rank_}, module.b, {}});
  }
  return parameters;
}

}  // namespace rr
