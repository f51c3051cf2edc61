#include "rr/nn/internal/decoder_weights.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "rr/base/check.h"
#include "rr/nn/internal/team.h"
#include "rr/nn/internal/tensor_reader.h"

namespace rr::internal {
namespace {

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

class Loader {
 public:
  Loader(const ModelFiles& files, const DecoderConfig& config, ProductFamily family,
         ProductCache& cache, const RowKernels& kernels, ThreadPool& pool)
      : reader_(files, config),
        config_(config),
        family_(family),
        cache_(cache),
        kernels_(kernels),
        pool_(pool) {}

  Result<DecoderWeights> load() {
    DecoderWeights weights;
    for (std::size_t i = 0; i < config_.num_layers; ++i) {
      RR_TRY(LayerWeights layer, load_layer(i));
      weights.layers.push_back(std::move(layer));
    }
    RR_TRY(weights.output_norm, reader_.vector_of(reader_.name(kOutputNorm), config_.hidden_size));
    RR_TRY_STATUS(load_embedding(weights));
    RR_TRY_STATUS(reader_.refuse_unknown_biases());
    RR_TRY_STATUS(run_jobs());
    return weights;
  }

 private:
  Result<LayerWeights> load_layer(std::size_t i) {
    LayerWeights layer;
    RR_TRY(layer.attention_norm,
           reader_.vector_of(reader_.name(i, kAttentionNorm), config_.hidden_size));
    RR_TRY(layer.ffn_norm, reader_.vector_of(reader_.name(i, kFfnNorm), config_.hidden_size));
    if (config_.has_qk_norm) {
      RR_TRY(layer.q_norm, reader_.vector_of(reader_.name(i, kQNorm), config_.head_dim));
      RR_TRY(layer.k_norm, reader_.vector_of(reader_.name(i, kKNorm), config_.head_dim));
    }
    RR_TRY_STATUS(load_attention(i, layer));
    RR_TRY_STATUS(load_ffn(i, layer));
    return layer;
  }

  Status load_attention(std::size_t i, LayerWeights& layer) {
    const std::size_t hidden = config_.hidden_size;
    const std::size_t q_size = config_.num_heads * config_.head_dim;
    const std::size_t kv_size = config_.num_kv_heads * config_.head_dim;
    RR_TRY(const TensorView* q, reader_.find(reader_.name(i, kQ, ".weight"), {q_size, hidden}));
    RR_TRY(const TensorView* k, reader_.find(reader_.name(i, kK, ".weight"), {kv_size, hidden}));
    RR_TRY(const TensorView* v, reader_.find(reader_.name(i, kV, ".weight"), {kv_size, hidden}));
    RR_TRY(const TensorView* o, reader_.find(reader_.name(i, kO, ".weight"), {hidden, q_size}));
    layer.qkv =
        stacked({{q, reader_.interleaved_head_dim()}, {k, reader_.interleaved_head_dim()}, {v, 0}});
    layer.attention_output = stacked({{o, 0}});
    if (config_.has_qkv_bias) {
      RR_TRY(layer.qkv_bias, reader_.vector_of(reader_.name(i, kQ, ".bias"), q_size,
                                               reader_.interleaved_head_dim()));
      RR_TRY(
          const std::vector<float> k_bias,
          reader_.vector_of(reader_.name(i, kK, ".bias"), kv_size, reader_.interleaved_head_dim()));
      RR_TRY(const std::vector<float> v_bias,
             reader_.vector_of(reader_.name(i, kV, ".bias"), kv_size));
      layer.qkv_bias.insert(layer.qkv_bias.end(), k_bias.begin(), k_bias.end());
      layer.qkv_bias.insert(layer.qkv_bias.end(), v_bias.begin(), v_bias.end());
    }
    if (config_.has_output_bias) {
      RR_TRY(layer.output_bias, reader_.vector_of(reader_.name(i, kO, ".bias"), hidden));
    }
    return ok_status();
  }

  Status load_ffn(std::size_t i, LayerWeights& layer) {
    const std::size_t hidden = config_.hidden_size;
    const std::size_t ffn = config_.ffn_size;
    RR_TRY(const TensorView* gate, reader_.find(reader_.name(i, kGate), {ffn, hidden}));
    RR_TRY(const TensorView* up, reader_.find(reader_.name(i, kUp), {ffn, hidden}));
    RR_TRY(const TensorView* down, reader_.find(reader_.name(i, kDown), {hidden, ffn}));
    layer.gate_up = paired({gate, 0}, {up, 0});
    layer.down = stacked({{down, 0}});
    return ok_status();
  }

  Status load_embedding(DecoderWeights& weights) {
    const std::vector<std::size_t> shape = {config_.vocabulary_size, config_.hidden_size};
    RR_TRY(const TensorView* embedding, reader_.find(reader_.name(kEmbedding), shape));
    if (config_.has_tied_embedding) {
      weights.output = stacked({{embedding, 0}});
      return ok_status();
    }
    RR_TRY(const TensorView* output, reader_.find(reader_.name(kOutput), shape));
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
        if (auto read = reader_.read_row({&tensor, 0}, r, row); !read.ok()) fail(read.error());
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
        if (auto read = reader_.read_row(piece.source, r, {next, inputs}); !read.ok()) {
          fail(read.error());
        }
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

  TensorReader reader_;
  const DecoderConfig& config_;
  ProductFamily family_;
  ProductCache& cache_;
  const RowKernels& kernels_;
  ThreadPool& pool_;
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
