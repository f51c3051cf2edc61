#include "rr/nn/internal/decoder_weights.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "rr/base/check.h"
#include "rr/nn/internal/team.h"

namespace rr::internal {
namespace {

// What a tensor is called in the two kinds of files, without its layer.
struct TensorName {
  const char* gguf;
  const char* hugging_face;
};
constexpr TensorName kEmbedding = {"token_embd.weight", "model.embed_tokens.weight"};
constexpr TensorName kOutputNorm = {"output_norm.weight", "model.norm.weight"};
constexpr TensorName kOutput = {"output.weight", "lm_head.weight"};
constexpr TensorName kAttentionNorm = {"attn_norm.weight", "input_layernorm.weight"};
constexpr TensorName kFfnNorm = {"ffn_norm.weight", "post_attention_layernorm.weight"};
constexpr TensorName kQ = {"attn_q", "self_attn.q_proj"};
constexpr TensorName kK = {"attn_k", "self_attn.k_proj"};
constexpr TensorName kV = {"attn_v", "self_attn.v_proj"};
constexpr TensorName kO = {"attn_output", "self_attn.o_proj"};
constexpr TensorName kQNorm = {"attn_q_norm.weight", "self_attn.q_norm.weight"};
constexpr TensorName kKNorm = {"attn_k_norm.weight", "self_attn.k_norm.weight"};
constexpr TensorName kGate = {"ffn_gate.weight", "mlp.gate_proj.weight"};
constexpr TensorName kUp = {"ffn_up.weight", "mlp.up_proj.weight"};
constexpr TensorName kDown = {"ffn_down.weight", "mlp.down_proj.weight"};

// Rows of a tensor, some of them possibly in the order of interleaved rotary pairs: a GGUF file of
// architecture "llama" has the pair (i, half + i) of a head in rows 2i and 2i + 1.
struct RowSource {
  const TensorView* tensor;
  std::size_t interleaved_head_dim = 0;  // 0: rows stand as they are used

  std::size_t file_row(std::size_t row) const {
    if (interleaved_head_dim == 0) return row;
    const std::size_t half = interleaved_head_dim / 2;
    const std::size_t in_head = row % interleaved_head_dim;
    return row - in_head + 2 * (in_head % half) + in_head / half;
  }
};

// A run of rows of one source.
struct Piece {
  RowSource source;
  std::size_t first_row;
  std::size_t num_rows;
};

// A panel to convert and pack.
struct PackJob {
  Linear* linear;
  std::size_t panel;
  std::vector<Piece> pieces;
};

bool is_finite(const float* values, std::size_t count) {
  std::uint32_t worst = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    worst = std::max(worst, bits & 0x7f800000u);
  }
  return worst != 0x7f800000u;
}

Error not_finite(const TensorView& tensor, std::size_t row, const std::string& where) {
  return Error{Errc::kMalformed,
               fmt::format("expected finite weights, row {} of tensor {} holds infinity or NaN; "
                           "fetch the file again",
                           row, tensor.name),
               where};
}

Result<std::vector<float>> read_rows(const RowSource& source, const std::string& where) {
  const TensorView& tensor = *source.tensor;
  std::vector<float> values(tensor.num_elements());
  dequantize_row(tensor, 0, values);
  if (!is_finite(values.data(), values.size())) return not_finite(tensor, 0, where);
  std::vector<float> ordered(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) ordered[i] = values[source.file_row(i)];
  return ordered;
}

class Loader {
 public:
  Loader(const ModelFiles& files, const DecoderConfig& config, ProductFamily family,
         ProductCache& cache, const RowKernels& kernels, ThreadPool& pool)
      : files_(files),
        config_(config),
        family_(family),
        cache_(cache),
        kernels_(kernels),
        pool_(pool),
        is_gguf_(files.format() == ModelFiles::Format::kGguf) {}

  Result<DecoderWeights> load() {
    DecoderWeights weights;
    for (std::size_t i = 0; i < config_.num_layers; ++i) {
      RR_TRY(LayerWeights layer, load_layer(i));
      weights.layers.push_back(std::move(layer));
    }
    RR_TRY(weights.output_norm, vector_of(name(kOutputNorm), config_.hidden_size));
    RR_TRY_STATUS(load_embedding(weights));
    RR_TRY_STATUS(refuse_unknown_biases());
    RR_TRY_STATUS(run_jobs());
    return weights;
  }

 private:
  std::string name(const TensorName& tensor) const {
    return is_gguf_ ? tensor.gguf : tensor.hugging_face;
  }
  std::string name(std::size_t layer, const TensorName& tensor, const char* ending = "") const {
    return is_gguf_ ? fmt::format("blk.{}.{}{}", layer, tensor.gguf, ending)
                    : fmt::format("model.layers.{}.{}{}", layer, tensor.hugging_face, ending);
  }
  std::string where() const { return files_.path().string(); }

  Result<const TensorView*> find(const std::string& tensor_name, std::vector<std::size_t> shape) {
    const TensorView* tensor = files_.find(tensor_name);
    const bool is_left_out = std::ranges::any_of(
        files_.left_out(), [&](const LeftOutTensor& left) { return left.name == tensor_name; });
    if (is_left_out) return files_.get(tensor_name);  // its sentence says why
    if (tensor == nullptr) {
      return Error{Errc::kMalformed,
                   fmt::format("expected a tensor {} of shape [{}], found none; the file is "
                               "incomplete or of another architecture",
                               tensor_name, fmt::join(shape, ", ")),
                   where()};
    }
    if (tensor->shape != shape) {
      return Error{Errc::kMalformed,
                   fmt::format("expected tensor {} to have shape [{}], found [{}]", tensor_name,
                               fmt::join(shape, ", "), fmt::join(tensor->shape, ", ")),
                   where()};
    }
    used_.insert(tensor_name);
    return tensor;
  }

  Result<std::vector<float>> vector_of(const std::string& tensor_name, std::size_t size,
                                       std::size_t interleaved_head_dim = 0) {
    RR_TRY(const TensorView* tensor, find(tensor_name, {size}));
    return read_rows({tensor, interleaved_head_dim}, where());
  }

  // GGUF permutes q and k of architecture "llama" only.
  std::size_t interleaved_head_dim() const {
    return is_gguf_ && config_.architecture == "llama" ? config_.head_dim : 0;
  }

  Result<LayerWeights> load_layer(std::size_t i) {
    LayerWeights layer;
    RR_TRY(layer.attention_norm, vector_of(name(i, kAttentionNorm), config_.hidden_size));
    RR_TRY(layer.ffn_norm, vector_of(name(i, kFfnNorm), config_.hidden_size));
    if (config_.has_qk_norm) {
      RR_TRY(layer.q_norm, vector_of(name(i, kQNorm), config_.head_dim));
      RR_TRY(layer.k_norm, vector_of(name(i, kKNorm), config_.head_dim));
    }
    RR_TRY_STATUS(load_attention(i, layer));
    RR_TRY_STATUS(load_ffn(i, layer));
    return layer;
  }

  Status load_attention(std::size_t i, LayerWeights& layer) {
    const std::size_t hidden = config_.hidden_size;
    const std::size_t q_size = config_.num_heads * config_.head_dim;
    const std::size_t kv_size = config_.num_kv_heads * config_.head_dim;
    RR_TRY(const TensorView* q, find(name(i, kQ, ".weight"), {q_size, hidden}));
    RR_TRY(const TensorView* k, find(name(i, kK, ".weight"), {kv_size, hidden}));
    RR_TRY(const TensorView* v, find(name(i, kV, ".weight"), {kv_size, hidden}));
    RR_TRY(const TensorView* o, find(name(i, kO, ".weight"), {hidden, q_size}));
    layer.qkv = stacked({{q, interleaved_head_dim()}, {k, interleaved_head_dim()}, {v, 0}});
    layer.attention_output = stacked({{o, 0}});
    if (config_.has_qkv_bias) {
      RR_TRY(layer.qkv_bias, vector_of(name(i, kQ, ".bias"), q_size, interleaved_head_dim()));
      RR_TRY(const std::vector<float> k_bias,
             vector_of(name(i, kK, ".bias"), kv_size, interleaved_head_dim()));
      RR_TRY(const std::vector<float> v_bias, vector_of(name(i, kV, ".bias"), kv_size));
      layer.qkv_bias.insert(layer.qkv_bias.end(), k_bias.begin(), k_bias.end());
      layer.qkv_bias.insert(layer.qkv_bias.end(), v_bias.begin(), v_bias.end());
    }
    if (config_.has_output_bias) {
      RR_TRY(layer.output_bias, vector_of(name(i, kO, ".bias"), hidden));
    }
    return ok_status();
  }

  Status load_ffn(std::size_t i, LayerWeights& layer) {
    const std::size_t hidden = config_.hidden_size;
    const std::size_t ffn = config_.ffn_size;
    RR_TRY(const TensorView* gate, find(name(i, kGate), {ffn, hidden}));
    RR_TRY(const TensorView* up, find(name(i, kUp), {ffn, hidden}));
    RR_TRY(const TensorView* down, find(name(i, kDown), {hidden, ffn}));
    layer.gate_up = paired({gate, 0}, {up, 0});
    layer.down = stacked({{down, 0}});
    return ok_status();
  }

  Status load_embedding(DecoderWeights& weights) {
    const std::vector<std::size_t> shape = {config_.vocabulary_size, config_.hidden_size};
    RR_TRY(const TensorView* embedding, find(name(kEmbedding), shape));
    if (config_.has_tied_embedding) {
      weights.output = stacked({{embedding, 0}});
      return ok_status();
    }
    RR_TRY(const TensorView* output, find(name(kOutput), shape));
    weights.output = stacked({{output, 0}});
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
        dequantize_row(tensor, r, row);
        if (!is_finite(row.data(), hidden)) fail(not_finite(tensor, r, where()));
        store_embedding(weights, r, row);
      }
    });
    return first_failure();
  }

  static void store_embedding(DecoderWeights& weights, std::size_t r,
                              const std::vector<float>& row) {
    const std::size_t start = r * row.size();
    if (weights.embedding_element == Element::kF32) {
      std::copy(row.begin(), row.end(), weights.embedding.data<float>() + start);
    } else {
      std::transform(row.begin(), row.end(), weights.embedding.data<Bf16>() + start, to_bf16);
    }
  }

  // A linear layer whose outputs are those of the sources, one after another.
  std::unique_ptr<Linear> stacked(const std::vector<RowSource>& sources) {
    std::size_t outputs = 0;
    for (const RowSource& source : sources) outputs += source.tensor->num_rows();
    std::unique_ptr<Linear> linear =
        make_linear(family_, sources[0].tensor->row_length(),
                    internal::panel_outputs(outputs, pool_.num_threads(), 64), cache_, kernels_);
    std::size_t source = 0;
    std::size_t row = 0;  // of the source
    for (std::size_t p = 0; p < linear->num_panels(); ++p) {
      PackJob job{linear.get(), p, {}};
      for (std::size_t missing = linear->panel_outputs(p); missing > 0;) {
        const std::size_t count = std::min(missing, sources[source].tensor->num_rows() - row);
        job.pieces.push_back({sources[source], row, count});
        missing -= count;
        row += count;
        if (row == sources[source].tensor->num_rows()) {
          ++source;
          row = 0;
        }
      }
      jobs_.push_back(std::move(job));
    }
    return linear;
  }

  // A linear layer each of whose panels has some rows of `first` and the same rows of `second`.
  std::unique_ptr<Linear> paired(const RowSource& first, const RowSource& second) {
    std::vector<std::size_t> panels =
        internal::panel_outputs(first.tensor->num_rows(), pool_.num_threads(), 32);
    for (std::size_t& outputs : panels) outputs *= 2;
    std::unique_ptr<Linear> linear =
        make_linear(family_, first.tensor->row_length(), std::move(panels), cache_, kernels_);
    std::size_t row = 0;
    for (std::size_t p = 0; p < linear->num_panels(); ++p) {
      const std::size_t count = linear->panel_outputs(p) / 2;
      jobs_.push_back({linear.get(), p, {{first, row, count}, {second, row, count}}});
      row += count;
    }
    return linear;
  }

  Status refuse_unknown_biases() const {
    for (const TensorView& tensor : files_.tensors()) {
      if (tensor.name.ends_with(".bias") && !used_.contains(tensor.name)) {
        return Error{Errc::kRejected,
                     fmt::format("tensor {} is a bias that architecture {} as configured does not "
                                 "have; this variant is not supported",
                                 tensor.name, config_.architecture),
                     where()};
      }
    }
    return ok_status();
  }

  Status run_jobs() {
    Team team(pool_);
    team.run([this](Team::Member& member) {
      ProductScratch scratch;
      AlignedBuffer rows;
      member.for_parts(jobs_.size(), [&](std::size_t i) { run_job(jobs_[i], rows, scratch); });
    });
    return first_failure();
  }

  void run_job(const PackJob& job, AlignedBuffer& buffer, ProductScratch& scratch) {
    const std::size_t inputs = job.linear->num_inputs();
    buffer.reserve(job.linear->panel_outputs(job.panel) * inputs * sizeof(float));
    float* next = buffer.data<float>();
    for (const Piece& piece : job.pieces) {
      for (std::size_t r = piece.first_row; r < piece.first_row + piece.num_rows; ++r) {
        const std::size_t file_row = piece.source.file_row(r);
        dequantize_row(*piece.source.tensor, file_row, {next, inputs});
        if (!is_finite(next, inputs)) fail(not_finite(*piece.source.tensor, file_row, where()));
        next += inputs;
      }
    }
    job.linear->pack(job.panel, buffer.data<float>(), scratch);
  }

  void fail(Error error) {
    const std::lock_guard lock(failure_mutex_);
    if (!failure_) failure_ = std::move(error);
  }
  Status first_failure() {
    if (failure_) return *failure_;
    return ok_status();
  }

  const ModelFiles& files_;
  const DecoderConfig& config_;
  ProductFamily family_;
  ProductCache& cache_;
  const RowKernels& kernels_;
  ThreadPool& pool_;
  bool is_gguf_;
  std::set<std::string> used_;
  std::vector<PackJob> jobs_;
  std::mutex failure_mutex_;
  std::optional<Error> failure_;  // guarded by failure_mutex_
};

}  // namespace

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
                                    const RowKernels& kernels, ThreadPool& pool) {
  return Loader(files, config, family, cache, kernels, pool).load();
}

}  // namespace rr::internal
