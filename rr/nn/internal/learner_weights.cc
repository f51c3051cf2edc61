#include "rr/nn/internal/learner_weights.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>
#include <utility>

#include "rr/base/random.h"
#include "rr/nn/internal/tensor_reader.h"

namespace rr::internal {
namespace {

std::size_t size_of(const std::vector<std::size_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
}

// A tensor of a linear layer: where it comes from and what it is called.
struct Source {
  const TensorName* name;
  std::size_t outputs;
  std::size_t interleaved_head_dim = 0;
};

}  // namespace

LinearSizes linear_sizes(const DecoderConfig& config) {
  const std::size_t q = config.num_heads * config.head_dim;
  const std::size_t kv = config.num_kv_heads * config.head_dim;
  LinearSizes sizes;
  const auto add = [&](std::size_t outputs, std::size_t inputs) {
    sizes.weights += config.num_layers * outputs * inputs;
    sizes.adapters += config.num_layers * (outputs + inputs);
  };
  add(q, config.hidden_size);
  add(kv, config.hidden_size);
  add(kv, config.hidden_size);
  add(config.hidden_size, q);
  add(config.ffn_size, config.hidden_size);
  add(config.ffn_size, config.hidden_size);
  add(config.hidden_size, config.ffn_size);
  return sizes;
}

std::size_t num_learnt(const DecoderConfig& config, const std::optional<LoraShape>& lora) {
  return lora ? linear_sizes(config).adapters * lora->rank : config.num_parameters();
}

class LearnerWeights::Loader {
 public:
  Loader(const ModelFiles& files, const DecoderConfig& config, const LearnerOptions& options,
         LearningProducts& products, Crew& crew)
      : config_(config),
        options_(options),
        products_(products),
        crew_(crew),
        reader_(files, config),
        weights_(new LearnerWeights) {}

  Result<std::unique_ptr<LearnerWeights>> load() {
    weights_->hidden_ = config_.hidden_size;
    weights_->has_adapters_ = options_.lora.has_value();
    weights_->rounds_embedding_ = products_.family != ProductFamily::kF32;
    RR_TRY_STATUS(load_embedding());
    for (std::size_t i = 0; i < config_.num_layers; ++i) {
      weights_->layer_starts.push_back(weights_->parameters.size());
      weights_->layers.emplace_back();
      RR_TRY_STATUS(load_layer(i, weights_->layers.back()));
    }
    weights_->layer_starts.push_back(weights_->parameters.size());
    RR_TRY(weights_->output_norm,
           vector(reader_.name(kOutputNorm), kOutputNorm.hugging_face, config_.hidden_size, 0));
    RR_TRY_STATUS(load_output());
    RR_TRY_STATUS(reader_.refuse_unknown_biases());
    weights_->pack(crew_);
    if (!learns()) crew_.release_scratch();  // the output layer's transpose was there in float32
    return std::move(weights_);
  }

 private:
  bool learns() const { return !options_.lora.has_value(); }

  float* allocate(std::size_t count) {
    AlignedBuffer& buffer = weights_->storage_.emplace_back(count * sizeof(float));
    buffer.clear();
    return buffer.data<float>();
  }

  // Each begins on a cache line.
  static std::size_t gradient_floats(std::size_t size) {
    constexpr std::size_t kStep = AlignedBuffer::kAlignment / sizeof(float);
    return (size + kStep - 1) / kStep * kStep;
  }

  // At most 14 tensors of a layer learn, and three beside them.
  std::size_t most_gradient_floats() const {
    const std::size_t gaps = gradient_floats(1) * (14 * config_.num_layers + 3);
    return num_learnt(config_, options_.lora) + gaps;
  }

  float* allocate_gradient(std::size_t size) {
    if (weights_->gradients_.size() == 0) {
      weights_->gradients_ = AlignedBuffer(most_gradient_floats() * sizeof(float));
      weights_->gradients_.clear();
    }
    float* const gradient = weights_->gradients_.data<float>() + num_gradient_floats_;
    num_gradient_floats_ += gradient_floats(size);
    RR_CHECK(num_gradient_floats_ * sizeof(float) <= weights_->gradients_.size(),
             "as many weights learn as were counted");
    return gradient;
  }

  LearnedTensor add_parameter(const std::string& name, std::vector<std::size_t> shape) {
    const std::size_t size = size_of(shape);
    const LearnedTensor tensor = {allocate(size), allocate_gradient(size)};
    weights_->parameters.push_back(
        {name, std::move(shape), {tensor.values, size}, {tensor.gradient, size}});
    return tensor;
  }

  // A vector of the file: a parameter, or only there.
  Result<LearnedTensor> vector(const std::string& file_name, const std::string& name,
                               std::size_t size, std::size_t interleaved_head_dim) {
    RR_TRY(const std::vector<float> values,
           reader_.vector_of(file_name, size, interleaved_head_dim));
    const LearnedTensor tensor =
        learns() ? add_parameter(name, {size}) : LearnedTensor{allocate(size), nullptr};
    std::copy(values.begin(), values.end(), tensor.values);
    return tensor;
  }

  Result<LearnedTensor> layer_vector(std::size_t i, const TensorName& name, std::size_t size) {
    return vector(reader_.name(i, name), fmt::format("model.layers.{}.{}", i, name.hugging_face),
                  size, 0);
  }

  Status read_matrix(const RowSource& source, float* out) {
    constexpr std::size_t kRowsAPart = 64;
    const std::size_t num_rows = source.tensor->num_rows();
    const std::size_t length = source.tensor->row_length();
    std::mutex mutex;
    Status status = ok_status();  // guarded by mutex
    crew_.for_parts((num_rows + kRowsAPart - 1) / kRowsAPart, [&](std::size_t part, CrewScratch&) {
      const std::size_t end = std::min(num_rows, (part + 1) * kRowsAPart);
      for (std::size_t r = part * kRowsAPart; r < end; ++r) {
        Status read = reader_.read_row(source, r, {out + r * length, length});
        if (read.ok()) continue;
        const std::lock_guard lock(mutex);
        if (status.ok()) status = std::move(read);
      }
    });
    return status;
  }

  Status load_embedding() {
    const std::vector<std::size_t> shape = {config_.vocabulary_size, config_.hidden_size};
    RR_TRY(const TensorView* tensor, reader_.find(reader_.name(kEmbedding), shape));
    embedding_source_ = {tensor, 0};
    if (learns()) {
      weights_->embedding = add_parameter(kEmbedding.hugging_face, shape);
      return read_matrix(embedding_source_, weights_->embedding.values);
    }
    if (config_.has_tied_embedding) return ok_status();  // the output layer has it
    std::vector<float> values(tensor->num_elements());
    RR_TRY_STATUS(read_matrix(embedding_source_, values.data()));
    const bool rounds = weights_->rounds_embedding_;
    weights_->frozen_embedding_ =
        AlignedBuffer(values.size() * (rounds ? sizeof(Bf16) : sizeof(float)));
    if (rounds) {
      std::transform(values.begin(), values.end(), weights_->frozen_embedding_.data<Bf16>(),
                     to_bf16);
    } else {
      std::copy(values.begin(), values.end(), weights_->frozen_embedding_.data<float>());
    }
    return ok_status();
  }

  Status load_output() {
    LinearPart part{config_.vocabulary_size, weights_->embedding.values,
                    weights_->embedding.gradient};
    RowSource source = embedding_source_;
    if (!config_.has_tied_embedding) {
      const std::vector<std::size_t> shape = {config_.vocabulary_size, config_.hidden_size};
      RR_TRY(const TensorView* tensor, reader_.find(reader_.name(kOutput), shape));
      source = {tensor, 0};
      if (learns()) {
        const LearnedTensor learnt = add_parameter(kOutput.hugging_face, shape);
        RR_TRY_STATUS(read_matrix(source, learnt.values));
        part.weight = learnt.values;
        part.gradient = learnt.gradient;
      }
    }
    RR_TRY(weights_->output,
           packed(config_.hidden_size, {part}, 1.0f, output_family(products_.family), {{source}}));
    return ok_status();
  }

  // A linear layer of parts and the tensors that they come from. What does not learn is packed here
  // and now, once.
  Result<std::unique_ptr<LearnedLinear>> packed(std::size_t inputs, std::vector<LinearPart> parts,
                                                float scale, ProductFamily family,
                                                const std::vector<RowSource>& tensors) {
    if (learns() || is_quantised(family)) {
      auto linear =
          std::make_unique<LearnedLinear>(inputs, std::move(parts), scale, family, products_);
      if (!learns()) RR_TRY_STATUS(linear->pack_from_file(reader_, tensors, crew_));
      return linear;
    }
    std::vector<std::vector<float>> floats(parts.size());
    for (std::size_t p = 0; p < parts.size(); ++p) {
      floats[p].resize(tensors[p].tensor->num_elements());
      RR_TRY_STATUS(read_matrix(tensors[p], floats[p].data()));
      parts[p].weight = floats[p].data();
    }
    auto linear =
        std::make_unique<LearnedLinear>(inputs, std::move(parts), scale, family, products_);
    linear->pack_weights(crew_);
    linear->forget_weights();
    return linear;
  }

  Status load_layer(std::size_t i, LearnedLayer& layer) {
    const std::size_t hidden = config_.hidden_size;
    const std::size_t q = config_.num_heads * config_.head_dim;
    const std::size_t kv = config_.num_kv_heads * config_.head_dim;
    const std::size_t ffn = config_.ffn_size;
    const std::size_t pairs = reader_.interleaved_head_dim();
    RR_TRY(layer.attention_norm, layer_vector(i, kAttentionNorm, hidden));
    RR_TRY(layer.qkv, linear(i, hidden, ".weight", {{&kQ, q, pairs}, {&kK, kv, pairs}, {&kV, kv}}));
    if (config_.has_qkv_bias) RR_TRY_STATUS(load_qkv_bias(i, layer));
    if (config_.has_qk_norm) {
      RR_TRY(layer.q_norm, layer_vector(i, kQNorm, config_.head_dim));
      RR_TRY(layer.k_norm, layer_vector(i, kKNorm, config_.head_dim));
    }
    RR_TRY(layer.attention_output, linear(i, q, ".weight", {{&kO, hidden}}));
    if (config_.has_output_bias) {
      RR_TRY(layer.output_bias,
             vector(reader_.name(i, kO, ".bias"),
                    fmt::format("model.layers.{}.{}.bias", i, kO.hugging_face), hidden, 0));
    }
    RR_TRY(layer.ffn_norm, layer_vector(i, kFfnNorm, hidden));
    RR_TRY(layer.gate_up, linear(i, hidden, "", {{&kGate, ffn}, {&kUp, ffn}}));
    RR_TRY(layer.down, linear(i, ffn, "", {{&kDown, hidden}}));
    return ok_status();
  }

  // The three biases stand side by side, as their products do.
  Status load_qkv_bias(std::size_t i, LearnedLayer& layer) {
    const std::size_t q = config_.num_heads * config_.head_dim;
    const std::size_t kv = config_.num_kv_heads * config_.head_dim;
    const std::size_t pairs = reader_.interleaved_head_dim();
    layer.qkv_bias.values = allocate(q + 2 * kv);
    if (learns()) layer.qkv_bias.gradient = allocate_gradient(q + 2 * kv);
    std::size_t start = 0;
    for (const Source& source : {Source{&kQ, q, pairs}, Source{&kK, kv, pairs}, Source{&kV, kv}}) {
      RR_TRY(const std::vector<float> values,
             reader_.vector_of(reader_.name(i, *source.name, ".bias"), source.outputs,
                               source.interleaved_head_dim));
      std::copy(values.begin(), values.end(), layer.qkv_bias.values + start);
      if (learns()) {
        weights_->parameters.push_back(
            {fmt::format("model.layers.{}.{}.bias", i, source.name->hugging_face),
             {source.outputs},
             {layer.qkv_bias.values + start, source.outputs},
             {layer.qkv_bias.gradient + start, source.outputs}});
      }
      start += source.outputs;
    }
    return ok_status();
  }

  // `ending`: how the tensor's name goes on in TensorName's terms.
  Result<std::unique_ptr<LearnedLinear>> linear(std::size_t i, std::size_t inputs,
                                                const char* ending,
                                                const std::vector<Source>& sources) {
    std::vector<LinearPart> parts;
    std::vector<RowSource> tensors;
    for (const Source& source : sources) {
      RR_TRY(const TensorView* tensor,
             reader_.find(reader_.name(i, *source.name, ending), {source.outputs, inputs}));
      tensors.push_back({tensor, source.interleaved_head_dim});
      LinearPart part{source.outputs, nullptr, nullptr};
      const std::string name =
          fmt::format("model.layers.{}.{}{}", i, source.name->hugging_face, ending);
      if (learns()) {
        const LearnedTensor weight = add_parameter(name, {source.outputs, inputs});
        part.weight = weight.values;
        part.gradient = weight.gradient;
        RR_TRY_STATUS(read_matrix(tensors.back(), weight.values));
      } else {
        add_adapter(name.substr(0, name.rfind(".weight")), inputs, part);
      }
      parts.push_back(part);
    }
    const float scale =
        options_.lora ? options_.lora->alpha / static_cast<float>(options_.lora->rank) : 1.0f;
    return packed(inputs, std::move(parts), scale, products_.family, tensors);
  }

  void add_adapter(const std::string& layer_name, std::size_t inputs, LinearPart& part) {
    part.rank = options_.lora->rank;
    const LearnedTensor a = add_parameter(layer_name + ".lora_A.weight", {part.rank, inputs});
    const LearnedTensor b = add_parameter(layer_name + ".lora_B.weight", {part.outputs, part.rank});
    RandomStream random(options_.seed, stream_of(layer_name + ".lora_A.weight"));
    const double bound = 1 / std::sqrt(static_cast<double>(inputs));
    for (std::size_t j = 0; j < part.rank * inputs; ++j) {
      a.values[j] = static_cast<float>((2 * random.uniform() - 1) * bound);
    }
    part.a = a.values;
    part.b = b.values;
    part.d_a = a.gradient;
    part.d_b = b.gradient;
  }

  const DecoderConfig& config_;
  const LearnerOptions& options_;
  LearningProducts& products_;
  Crew& crew_;
  TensorReader reader_;
  RowSource embedding_source_{};
  std::size_t num_gradient_floats_ = 0;
  std::unique_ptr<LearnerWeights> weights_;
};

Result<std::unique_ptr<LearnerWeights>> LearnerWeights::load(const ModelFiles& files,
                                                             const DecoderConfig& config,
                                                             const LearnerOptions& options,
                                                             LearningProducts& products,
                                                             Crew& crew) {
  if (options.lora && options.lora->rank == 0) {
    return Error{Errc::kRejected, "expected a LoRA rank of at least 1, found 0", ""};
  }
  if (!options.lora && is_quantised(products.family)) {
    return Error{Errc::kRejected,
                 "weights of 8 or 4 bits do not learn, only adapters beside them: expected a LoRA "
                 "rank, found none",
                 ""};
  }
  return Loader(files, config, options, products, crew).load();
}

void LearnerWeights::pack(Crew& crew) {
  const auto pack_one = [&](LearnedLinear& linear) {
    if (has_adapters_) {
      linear.pack_adapters(crew);
    } else {
      linear.pack_weights(crew);
    }
  };
  for (LearnedLayer& layer : layers) {
    pack_one(*layer.qkv);
    pack_one(*layer.attention_output);
    pack_one(*layer.gate_up);
    pack_one(*layer.down);
  }
  pack_one(*output);
}

void LearnerWeights::set_adapters_on(bool on) {
  for (LearnedLayer& layer : layers) {
    for (LearnedLinear* const linear :
         {layer.qkv.get(), layer.attention_output.get(), layer.gate_up.get(), layer.down.get()}) {
      linear->set_adapters_on(on);
    }
  }
}

void LearnerWeights::embed(std::size_t id, float* out) const {
  const std::size_t start = id * hidden_;
  if (embedding.exists()) {
    for (std::size_t i = 0; i < hidden_; ++i) {
      const float value = embedding.values[start + i];
      out[i] = rounds_embedding_ ? to_float(to_bf16(value)) : value;
    }
  } else if (frozen_embedding_.size() == 0) {
    output->weight_row(id, out);
  } else {
    for (std::size_t i = 0; i < hidden_; ++i) {
      out[i] = rounds_embedding_ ? to_float(frozen_embedding_.data<Bf16>()[start + i])
                                 : frozen_embedding_.data<float>()[start + i];
    }
  }
}

}  // namespace rr::internal
