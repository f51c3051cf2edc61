#include "rr/nn/internal/decoder_weights.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "rr/base/check.h"
#include "rr/nn/internal/panel_packing.h"
#include "rr/nn/internal/team.h"
#include "rr/nn/internal/tensor_reader.h"

namespace rr::internal {
namespace {

// A matrix of the file, and what Hugging Face calls it.
struct NamedMatrix {
  RowSource source;
  std::string name;
};

}  // namespace

class DecoderWeightsLoader {
 public:
  DecoderWeightsLoader(const ModelFiles& files, const DecoderConfig& config, ProductFamily family,
                       ProductCache& cache, const std::optional<AdapterChoice>& adapters,
                       const RowKernels& kernels, ThreadPool& pool)
      : reader_(files, config),
        config_(config),
        family_(family),
        cache_(cache),
        adapters_(adapters),
        kernels_(kernels),
        pool_(pool) {}

  Result<DecoderWeights> load() {
    DecoderWeights weights;
    for (std::size_t i = 0; i < config_.num_layers; ++i) {
      RR_TRY(LayerWeights layer, load_layer(i));
      weights.layers.push_back(std::move(layer));
    }
    RR_TRY(weights.output_norm, reader_.vector_of(reader_.name(kOutputNorm), config_.hidden_size));
    note_vector(kOutputNorm.hugging_face, weights.output_norm);
    RR_TRY_STATUS(load_embedding(weights));
    RR_TRY_STATUS(reader_.refuse_unknown_biases());
    RR_TRY_STATUS(pack_panels());
    weights.vectors = std::move(vectors_);
    weights.panels = std::move(panels_);
    weights.adapted = std::move(adapted_);
    return weights;
  }

 private:
  Result<LayerWeights> load_layer(std::size_t i) {
    LayerWeights layer;
    RR_TRY(layer.attention_norm, layer_vector(i, kAttentionNorm, config_.hidden_size));
    RR_TRY(layer.ffn_norm, layer_vector(i, kFfnNorm, config_.hidden_size));
    if (config_.has_qk_norm) {
      RR_TRY(layer.q_norm, layer_vector(i, kQNorm, config_.head_dim));
      RR_TRY(layer.k_norm, layer_vector(i, kKNorm, config_.head_dim));
    }
    RR_TRY_STATUS(load_attention(i, layer));
    RR_TRY_STATUS(load_ffn(i, layer));
    return layer;
  }

  Status load_attention(std::size_t i, LayerWeights& layer) {
    const std::size_t hidden = config_.hidden_size;
    const std::size_t q_size = config_.num_heads * config_.head_dim;
    const std::size_t kv_size = config_.num_kv_heads * config_.head_dim;
    const std::size_t pairs = reader_.interleaved_head_dim();
    RR_TRY(NamedMatrix q, matrix(i, kQ, ".weight", {q_size, hidden}, pairs));
    RR_TRY(NamedMatrix k, matrix(i, kK, ".weight", {kv_size, hidden}, pairs));
    RR_TRY(NamedMatrix v, matrix(i, kV, ".weight", {kv_size, hidden}, 0));
    RR_TRY(NamedMatrix o, matrix(i, kO, ".weight", {hidden, q_size}, 0));
    layer.qkv = stacked({std::move(q), std::move(k), std::move(v)});
    layer.attention_output = stacked({std::move(o)});
    if (config_.has_qkv_bias) RR_TRY_STATUS(load_qkv_bias(i, layer));
    if (config_.has_output_bias) {
      RR_TRY(layer.output_bias, reader_.vector_of(reader_.name(i, kO, ".bias"), hidden));
      note_vector(layer_name(i, kO, ".bias"), layer.output_bias);
    }
    return ok_status();
  }

  // The three biases stand side by side, as their products do.
  Status load_qkv_bias(std::size_t i, LayerWeights& layer) {
    const std::size_t q_size = config_.num_heads * config_.head_dim;
    const std::size_t kv_size = config_.num_kv_heads * config_.head_dim;
    const std::size_t pairs = reader_.interleaved_head_dim();
    layer.qkv_bias.resize(q_size + 2 * kv_size);
    float* next = layer.qkv_bias.data();
    for (const auto& [name, size, interleaved] :
         {std::tuple(&kQ, q_size, pairs), {&kK, kv_size, pairs}, {&kV, kv_size, std::size_t{0}}}) {
      RR_TRY(const std::vector<float> bias,
             reader_.vector_of(reader_.name(i, *name, ".bias"), size, interleaved));
      std::copy(bias.begin(), bias.end(), next);
      vectors_.push_back({layer_name(i, *name, ".bias"), next, size});
      next += size;
    }
    return ok_status();
  }

  Status load_ffn(std::size_t i, LayerWeights& layer) {
    const std::size_t hidden = config_.hidden_size;
    const std::size_t ffn = config_.ffn_size;
    RR_TRY(NamedMatrix gate, matrix(i, kGate, "", {ffn, hidden}, 0));
    RR_TRY(NamedMatrix up, matrix(i, kUp, "", {ffn, hidden}, 0));
    RR_TRY(NamedMatrix down, matrix(i, kDown, "", {hidden, ffn}, 0));
    layer.gate_up = paired(gate, up);
    layer.down = stacked({std::move(down)});
    return ok_status();
  }

  static std::string layer_name(std::size_t i, const TensorName& name, const char* ending = "") {
    return fmt::format("model.layers.{}.{}{}", i, name.hugging_face, ending);
  }

  Result<std::vector<float>> layer_vector(std::size_t i, const TensorName& name, std::size_t size) {
    RR_TRY(std::vector<float> values, reader_.vector_of(reader_.name(i, name), size));
    note_vector(layer_name(i, name), values);
    return values;
  }

  // Vectors are moved into their place, which their numbers do not notice.
  void note_vector(std::string name, std::vector<float>& values) {
    vectors_.push_back({std::move(name), values.data(), values.size()});
  }

  Result<NamedMatrix> matrix(std::size_t i, const TensorName& name, const char* ending,
                             std::vector<std::size_t> shape, std::size_t interleaved_head_dim) {
    RR_TRY(const TensorView* tensor, reader_.find(reader_.name(i, name, ending), std::move(shape)));
    return NamedMatrix{{tensor, interleaved_head_dim}, layer_name(i, name, ending)};
  }

  Status load_embedding(DecoderWeights& weights) {
    const std::vector<std::size_t> shape = {config_.vocabulary_size, config_.hidden_size};
    RR_TRY(const TensorView* embedding, reader_.find(reader_.name(kEmbedding), shape));
    if (config_.has_tied_embedding) {
      weights.output = stacked({{{embedding, 0}, kEmbedding.hugging_face}}, true);
      return ok_status();
    }
    RR_TRY(const TensorView* output, reader_.find(reader_.name(kOutput), shape));
    weights.output = stacked({{{output, 0}, kOutput.hugging_face}}, true);
    weights.embedding_element = family_ == ProductFamily::kF32 ? Element::kF32 : Element::kBf16;
    weights.embedding =
        AlignedBuffer(embedding->num_elements() * element_bytes(weights.embedding_element));
    return read_embedding(*embedding, weights);
  }

  Status read_embedding(const TensorView& tensor, DecoderWeights& weights) {
    constexpr std::size_t kRowsAPart = 1024;
    const std::size_t hidden = config_.hidden_size;
    const std::size_t num_rows = tensor.num_rows();
    pool_.run((num_rows + kRowsAPart - 1) / kRowsAPart, [&](std::size_t part) {
      std::vector<float> row(hidden);
      const std::size_t end = std::min(num_rows, (part + 1) * kRowsAPart);
      for (std::size_t r = part * kRowsAPart; r < end; ++r) {
        if (auto read = reader_.read_row({&tensor, 0}, r, row); !read.ok()) fail(read.error());
        weights.store_embedding(r, row);
      }
    });
    return first_failure();
  }

  // A linear layer whose outputs are those of the matrices, one after another.
  std::unique_ptr<Linear> stacked(const std::vector<NamedMatrix>& matrices,
                                  bool is_output = false) {
    std::size_t outputs = 0;
    for (const NamedMatrix& matrix : matrices) outputs += matrix.source.tensor->num_rows();
    std::vector<std::vector<TensorRows>> panels;
    const NamedMatrix* matrix = matrices.data();
    std::size_t row = 0;  // of the matrix
    for (std::size_t missing : internal::panel_outputs(outputs, pool_.num_threads(), 64)) {
      panels.emplace_back();
      while (missing > 0) {
        const std::size_t num_rows = matrix->source.tensor->num_rows();
        const std::size_t count = std::min(missing, num_rows - row);
        panels.back().push_back({matrix->name, row, count});
        missing -= count;
        row += count;
        if (row == num_rows) {
          ++matrix;
          row = 0;
        }
      }
    }
    return linear_of(matrices, std::move(panels), is_output);
  }

  // A linear layer each of whose panels has some rows of `first` and the same rows of `second`.
  std::unique_ptr<Linear> paired(const NamedMatrix& first, const NamedMatrix& second) {
    std::vector<std::vector<TensorRows>> panels;
    std::size_t row = 0;
    for (const std::size_t count :
         internal::panel_outputs(first.source.tensor->num_rows(), pool_.num_threads(), 32)) {
      panels.push_back({{first.name, row, count}, {second.name, row, count}});
      row += count;
    }
    return linear_of({first, second}, std::move(panels), false);
  }

  std::unique_ptr<Linear> linear_of(const std::vector<NamedMatrix>& matrices,
                                    std::vector<std::vector<TensorRows>> panels, bool is_output) {
    for (const NamedMatrix& matrix : matrices) sources_[matrix.name] = matrix.source;
    std::vector<std::size_t> outputs;
    for (const std::vector<TensorRows>& panel : panels) {
      std::size_t count = 0;
      for (const TensorRows& rows : panel) count += rows.num_rows;
      outputs.push_back(count);
    }
    std::unique_ptr<Linear> linear =
        make_linear(is_output ? output_family(family_) : family_,
                    matrices[0].source.tensor->row_length(), outputs, cache_, kernels_);
    for (std::size_t p = 0; p < panels.size(); ++p) {
      panels_.push_back({linear.get(), p, panels[p]});
    }
    if (!adapters_ || is_output) return linear;
    auto adapted = std::make_unique<AdaptedLinear>(
        std::move(linear), std::move(panels), adapters_->shape, *adapters_->products, kernels_);
    adapted_.push_back(adapted.get());
    return adapted;
  }

  Status pack_panels() {
    Team team(pool_);
    team.run([this](Team::Member& member) {
      ProductScratch scratch;
      AlignedBuffer rows;
      member.for_parts(panels_.size(), [&](std::size_t i) { pack(panels_[i], rows, scratch); });
      member.for_parts(adapted_.size(), [&](std::size_t i) { clear(*adapted_[i], scratch); });
    });
    return first_failure();
  }

  void pack(const LoadedPanel& panel, AlignedBuffer& buffer, ProductScratch& scratch) {
    std::vector<SourceRows> pieces;
    for (const TensorRows& rows : panel.rows) {
      pieces.push_back({sources_.at(rows.name), rows.first_row, rows.num_rows});
    }
    const Status packed =
        pack_from_file(reader_, pieces, *panel.linear, panel.panel, buffer, scratch);
    if (!packed.ok()) fail(packed.error());
  }

  void clear(AdaptedLinear& linear, ProductScratch& scratch) const {
    for (std::size_t t = 0; t < linear.tensors().size(); ++t) {
      const std::vector<float> a(adapters_->shape.rank * linear.num_inputs());
      const std::vector<float> b(adapters_->shape.rank *
                                 sources_.at(linear.tensors()[t]).tensor->num_rows());
      linear.set_adapter(t, a.data(), b.data(), scratch);
    }
  }

  void fail(Error error) {
    const std::lock_guard lock(failure_mutex_);
    if (!failure_) failure_ = std::move(error);
  }
  Status first_failure() {
    if (failure_) return *failure_;
    return ok_status();
  }

  TensorReader reader_;
  const DecoderConfig& config_;
  ProductFamily family_;
  ProductCache& cache_;
  std::optional<AdapterChoice> adapters_;
  const RowKernels& kernels_;
  ThreadPool& pool_;
  std::map<std::string, RowSource> sources_;  // of all matrices
  std::vector<LoadedVector> vectors_;
  std::vector<LoadedPanel> panels_;
  std::vector<AdaptedLinear*> adapted_;
  std::mutex failure_mutex_;
  std::optional<Error> failure_;  // guarded by failure_mutex_
};

void DecoderWeights::embed(std::size_t id, std::size_t hidden_size, float* out) const {
  if (embedding.size() == 0) {
    const std::size_t a_panel = output->panel_outputs(0);  // all but the last are equal
    output->weight_row(id / a_panel, id % a_panel, out);
    return;
  }
  const std::size_t start = id * hidden_size;
  for (std::size_t i = 0; i < hidden_size; ++i) {
    out[i] = embedding_element == Element::kF32 ? embedding.data<float>()[start + i]
                                                : to_float(embedding.data<Bf16>()[start + i]);
  }
}

void DecoderWeights::store_embedding(std::size_t id, std::span<const float> row) {
  const std::size_t start = id * row.size();
  if (embedding_element == Element::kF32) {
    std::copy(row.begin(), row.end(), embedding.data<float>() + start);
  } else {
    std::transform(row.begin(), row.end(), embedding.data<Bf16>() + start, to_bf16);
  }
}

void DecoderWeights::adopt(std::span<const Parameter> parameters, ThreadPool& pool) {
  if (adapted.empty()) {
    adopt_tensors(parameters, pool);
  } else {
    adopt_adapters(parameters, pool);
  }
}

namespace {

class ParametersByName {
 public:
  explicit ParametersByName(std::span<const Parameter> parameters) {
    for (const Parameter& parameter : parameters) by_name_[parameter.name] = &parameter;
  }

  const Parameter& of(const std::string& name) const {
    const auto found = by_name_.find(name);
    RR_CHECK(found != by_name_.end(), "the learner has every tensor of the decoder");
    return *found->second;
  }

 private:
  std::map<std::string_view, const Parameter*> by_name_;
};

}  // namespace

void DecoderWeights::adopt_adapters(std::span<const Parameter> parameters, ThreadPool& pool) {
  const ParametersByName by_name(parameters);
  Team team(pool);
  team.run([&](Team::Member& member) {
    ProductScratch scratch;
    member.for_parts(adapted.size(), [&](std::size_t i) {
      for (std::size_t t = 0; t < adapted[i]->tensors().size(); ++t) {
        const std::string& tensor = adapted[i]->tensors()[t];
        const std::string module = tensor.substr(0, tensor.rfind(".weight"));
        adapted[i]->set_adapter(t, by_name.of(module + ".lora_A.weight").values.data(),
                                by_name.of(module + ".lora_B.weight").values.data(), scratch);
      }
    });
  });
}

void DecoderWeights::adopt_tensors(std::span<const Parameter> parameters, ThreadPool& pool) {
  const ParametersByName by_name(parameters);
  for (const LoadedVector& vector : vectors) {
    std::copy_n(by_name.of(vector.name).values.data(), vector.size, vector.values);
  }
  Team team(pool);
  team.run([&](Team::Member& member) {
    ProductScratch scratch;
    AlignedBuffer buffer;
    member.for_parts(panels.size(), [&](std::size_t i) {
      const LoadedPanel& panel = panels[i];
      const std::size_t inputs = panel.linear->num_inputs();
      buffer.reserve(panel.linear->panel_outputs(panel.panel) * inputs * sizeof(float));
      float* next = buffer.data<float>();
      for (const TensorRows& rows : panel.rows) {
        const float* const from = by_name.of(rows.name).values.data() + rows.first_row * inputs;
        next = std::copy_n(from, rows.num_rows * inputs, next);
      }
      panel.linear->pack(panel.panel, buffer.data<float>(), scratch);
    });
  });
  if (embedding.size() == 0) return;
  const Parameter& table = by_name.of(kEmbedding.hugging_face);
  const std::size_t hidden = table.shape[1];
  pool.run(table.shape[0],
           [&](std::size_t id) { store_embedding(id, table.values.subspan(id * hidden, hidden)); });
}

std::vector<std::size_t> panel_outputs(std::size_t num_outputs, std::size_t num_threads,
                                       std::size_t multiple) {
  constexpr std::size_t kMostOutputs = 1024;
  const std::size_t rounds =
      (num_outputs + num_threads * kMostOutputs - 1) / (num_threads * kMostOutputs);
  const std::size_t wanted = (num_outputs + rounds * num_threads - 1) / (rounds * num_threads);
  const std::size_t a_panel = (wanted + multiple - 1) / multiple * multiple;
  std::vector<std::size_t> panels(num_outputs / a_panel, a_panel);
  if (num_outputs % a_panel != 0) panels.push_back(num_outputs % a_panel);
  return panels;
}

Result<DecoderWeights> load_weights(const ModelFiles& files, const DecoderConfig& config,
                                    ProductFamily family, ProductCache& cache,
                                    const std::optional<AdapterChoice>& adapters,
                                    const RowKernels& kernels, ThreadPool& pool) {
  return DecoderWeightsLoader(files, config, family, cache, adapters, kernels, pool).load();
}

}  // namespace rr::internal
