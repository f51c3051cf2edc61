#include "rr/nn/internal/learner_pass.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace rr::internal {
namespace {

// Row-wise work is handed out, and vectors' gradients are summed, in blocks of this many rows.
constexpr std::size_t kBlockRows = 64;

// Targets whose logits exist at the same time.
constexpr std::size_t kTargetChunk = 2 * kGradientRows;

std::size_t widest_in(const DecoderConfig& config) {
  return std::max({config.hidden_size, config.ffn_size, config.num_heads * config.head_dim});
}

std::size_t qkv_width(const DecoderConfig& config) {
  return (config.num_heads + 2 * config.num_kv_heads) * config.head_dim;
}

std::size_t widest_out(const DecoderConfig& config) {
  return std::max({config.hidden_size, 2 * config.ffn_size, qkv_width(config)});
}

float* row_of(const AlignedBuffer& buffer, std::size_t row, std::size_t width) {
  return buffer.data<float>() + row * width;
}

void store_row(const RowKernels& kernels, Element element, const float* from, std::size_t size,
               std::byte* to) {
  if (element == Element::kBf16) {
    kernels.scale_bf16(from, 1.0f, size, static_cast<Bf16*>(static_cast<void*>(to)));
  } else {
    std::memcpy(to, from, size * sizeof(float));
  }
}

void round_row(float* values, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) values[i] = to_float(to_bf16(values[i]));
}

}  // namespace

std::size_t layer_activation_bytes(const DecoderConfig& config, Element element, std::size_t rows,
                                   std::size_t lora_rank) {
  const std::size_t q_size = config.num_heads * config.head_dim;
  const std::size_t raw = config.has_qk_norm ? qkv_width(config) : 0;
  const std::size_t floats =
      raw + qkv_width(config) + config.num_heads + q_size + config.hidden_size;
  const std::size_t low =
      adapter_width(lora_rank, 3) + adapter_width(lora_rank, 2) + 2 * adapter_width(lora_rank, 1);
  const std::size_t activations = 2 * config.hidden_size + q_size + 3 * config.ffn_size + low;
  return padded_gradient_rows(rows) *
         (floats * sizeof(float) + activations * element_bytes(element));
}

std::size_t learner_buffer_bytes(const DecoderConfig& config, Element element, std::size_t rows) {
  const std::size_t padded = padded_gradient_rows(rows);
  const std::size_t floats = (config.num_layers + 2) * config.hidden_size +
                             3 * config.head_dim / 2 + 4 * config.num_kv_heads * config.head_dim +
                             widest_in(config) + qkv_width(config) +
                             2 * config.num_kv_heads * config.head_dim +
                             2 * kQueryShares * config.num_heads * config.head_dim +
                             (element == Element::kBf16 ? 2 * config.ffn_size : 0);
  const std::size_t a_target = 2 * config.hidden_size * sizeof(float) +
                               config.vocabulary_size * (sizeof(float) + element_bytes(element));
  return padded * (floats * sizeof(float) + widest_out(config) * element_bytes(element)) +
         kTargetChunk * a_target;
}

std::size_t widened_gradient_bytes(const DecoderConfig& config, std::size_t rows) {
  return std::max(padded_gradient_rows(rows) * widest_out(config),
                  kTargetChunk * config.vocabulary_size) *
         sizeof(Bf16);
}

LearnerPass::LearnerPass(const DecoderConfig& config, const LearnerWeights& weights,
                         const Engine& engine, const LearnerLayout& layout, std::size_t kept_layers,
                         LearnerBuffers& buffers, Crew& crew)
    : config_(config),
      weights_(weights),
      engine_(engine),
      layout_(layout),
      attention_(config, engine.kernels, engine.attention, layout),
      kept_layers_(std::min(kept_layers, config.num_layers)),
      buffers_(buffers),
      crew_(crew),
      rows_(layout.num_rows()),
      padded_(padded_gradient_rows(rows_)) {
  reserve();
}

template <typename Task>
void LearnerPass::for_rows(std::size_t count, const Task& task) {
  crew_.for_parts((count + kBlockRows - 1) / kBlockRows,
                  [&](std::size_t block, CrewScratch& scratch) {
                    const std::size_t first = block * kBlockRows;
                    task(first, std::min(count, first + kBlockRows), block, scratch);
                  });
}

// task(first, end, sums): adds a block's rows to sums [width], which all go into `gradient` (null:
// nowhere; sums is null then).
template <typename Task>
void LearnerPass::for_rows_summing(std::size_t count, std::size_t width, float* gradient,
                                   const Task& task) {
  const std::size_t num_blocks = (count + kBlockRows - 1) / kBlockRows;
  buffers_.sums.reserve(num_blocks * width * sizeof(float));
  for_rows(count, [&](std::size_t first, std::size_t end, std::size_t block, CrewScratch&) {
    float* sums = nullptr;
    if (gradient != nullptr) {
      sums = row_of(buffers_.sums, block, width);
      std::fill_n(sums, width, 0.0f);
    }
    task(first, end, sums);
  });
  if (gradient == nullptr) return;
  for (std::size_t block = 0; block < num_blocks; ++block) {
    engine_.kernels.add(row_of(buffers_.sums, block, width), width, gradient);
  }
}

// Makes room for all rows, of which the first `rows` are in use.
void LearnerPass::clear_padding(AlignedBuffer& buffer, std::size_t rows,
                                std::size_t row_bytes) const {
  buffer.reserve(padded_ * row_bytes);
  std::memset(buffer.data() + rows * row_bytes, 0, (padded_gradient_rows(rows) - rows) * row_bytes);
}

LearnerPass::RowSet LearnerPass::rows_after_attention(std::size_t layer) const {
  if (!is_last(layer)) return {rows_, nullptr};
  return {layout_.wanted_rows.size(), layout_.wanted_rows.data()};
}

// Some rows of float32 to where the batch has them, among rows of zeros.
void LearnerPass::spread(const RowSet& rows, std::size_t width, AlignedBuffer& buffer) const {
  if (rows.rows == nullptr) return;
  std::size_t left = rows.count;  // row i goes to i or behind it
  for (std::size_t r = rows_; r-- > 0;) {
    float* const to = row_of(buffer, r, width);
    if (left == 0 || rows[left - 1] != r) {
      std::fill_n(to, width, 0.0f);
    } else if (--left != r) {
      std::copy_n(row_of(buffer, left, width), width, to);
    }
  }
}

void LearnerPass::reserve() {
  const std::size_t activation = element_bytes(engine_.element);
  const std::size_t half = config_.head_dim / 2;
  buffers_.streams.resize(config_.num_layers + 1);
  for (AlignedBuffer& stream : buffers_.streams)
    clear_padding(stream, rows_, hidden() * sizeof(float));
  buffers_.layers.resize(kept_layers_ + 1);
  for (LayerActivations& layer : buffers_.layers) {
    clear_padding(layer.normed, rows_, hidden() * activation);
    if (config_.has_qk_norm) layer.raw_qkv.reserve(padded_ * qkv_size() * sizeof(float));
    clear_padding(layer.qkv, rows_, qkv_size() * sizeof(float));
    layer.log_sums.reserve(config_.num_heads * padded_ * sizeof(float));
    clear_padding(layer.attended, rows_, q_size() * sizeof(float));
    clear_padding(layer.attended_in, rows_, q_size() * activation);
    clear_padding(layer.middle, rows_, hidden() * sizeof(float));
    clear_padding(layer.ffn_normed, rows_, hidden() * activation);
    clear_padding(layer.gate_up, rows_, 2 * config_.ffn_size * activation);
    clear_padding(layer.ffn, rows_, config_.ffn_size * activation);
  }
  for (AlignedBuffer* angles : {&buffers_.cosines, &buffers_.sines, &buffers_.negative_sines}) {
    angles->reserve(rows_ * half * sizeof(float));
  }
  buffers_.key_tiles.reserve(config_.num_kv_heads * layout_.tiles.size() *
                             engine_.attention_backward.key_tile_bytes(config_.head_dim));
  buffers_.d_in.reserve(padded_ * widest_in(config_) * sizeof(float));
}

std::vector<float> LearnerPass::evaluate() {
  if (layout_.target_rows.empty()) return {};
  embed();
  LayerActivations& shared = buffers_.layers.back();
  for (std::size_t i = 0; i < config_.num_layers; ++i) {
    run_layer(i, shared);
    finish_layer(i, shared);
  }
  return run_targets(nullptr);
}

std::vector<float> LearnerPass::learn(const std::function<std::vector<float>()>& run_targets,
                                      const GradientListener& on_complete) {
  const auto complete_from = [&](std::size_t first) {
    if (on_complete) on_complete(first);
  };
  if (layout_.target_rows.empty()) {
    std::vector<float> logprobs = run_targets();
    complete_from(0);
    return logprobs;
  }
  const auto activations = [&](std::size_t i) -> LayerActivations& {
    return buffers_.layers[std::min(i, kept_layers_)];
  };
  embed();
  for (std::size_t i = 0; i < config_.num_layers; ++i) {
    run_layer(i, activations(i));
    finish_layer(i, activations(i));
  }
  clear_padding(buffers_.d_stream, rows_, hidden() * sizeof(float));
  std::fill_n(buffers_.d_stream.data<float>(), rows_ * hidden(), 0.0f);
  std::vector<float> logprobs = run_targets();
  complete_from(weights_.layer_starts.back());
  for (std::size_t i = config_.num_layers; i-- > 0;) {
    if (i >= kept_layers_ && !is_last(i)) run_layer(i, activations(i));
    back_through_layer(i, activations(i));
    if (i > 0) complete_from(weights_.layer_starts[i]);
  }
  back_through_embedding();
  complete_from(0);
  return logprobs;
}

// Forward -----------------------------------------------------------------------------------------

void LearnerPass::embed() {
  const std::size_t half = config_.head_dim / 2;
  for_rows(rows_, [&](std::size_t first, std::size_t end, std::size_t, CrewScratch&) {
    for (std::size_t r = first; r < end; ++r) {
      weights_.embed(static_cast<std::size_t>(layout_.ids[r]),
                     row_of(buffers_.streams[0], r, hidden()));
      const auto position = static_cast<float>(layout_.positions[r]);
      for (std::size_t i = 0; i < half; ++i) {
        const double angle = position * config_.rope.inverse_frequencies[i];
        const double factor = config_.rope.attention_factor;
        row_of(buffers_.cosines, r, half)[i] = static_cast<float>(std::cos(angle) * factor);
        row_of(buffers_.sines, r, half)[i] = static_cast<float>(std::sin(angle) * factor);
        row_of(buffers_.negative_sines, r, half)[i] = -row_of(buffers_.sines, r, half)[i];
      }
    }
  });
}

// Everything of a layer that the way back reads: all but its last product.
void LearnerPass::run_layer(std::size_t i, LayerActivations& kept) {
  const LearnedLayer& layer = weights_.layers[i];
  const float* const stream = buffers_.streams[i].data<float>();
  norm(stream, layer.attention_norm, rows_, kept.normed);
  layer.qkv->multiply(kept.normed.data(), rows_, kept.qkv.data<float>(), kept.low_qkv, crew_);
  finish_qkv(layer, kept);
  attend(i, kept);
  const RowSet rows = rows_after_attention(i);
  if (rows.count < rows_) {
    const std::size_t activation = element_bytes(engine_.element);
    clear_padding(kept.attended_in, rows.count, q_size() * activation);
    clear_padding(kept.ffn_normed, rows.count, hidden() * activation);
    clear_padding(kept.ffn, rows.count, config_.ffn_size * activation);
  }
  to_activations(kept.attended.data<float>(), rows, q_size(), kept.attended_in);
  float* const product = buffers_.d_in.data<float>();
  layer.attention_output->multiply(kept.attended_in.data(), rows.count, product, kept.low_output,
                                   crew_);
  add_to_stream(stream, layer.output_bias, product, rows, kept.middle.data<float>());
  norm(kept.middle.data<float>(), layer.ffn_norm, rows.count, kept.ffn_normed);
  run_swiglu(layer, rows.count, kept);
}

void LearnerPass::finish_layer(std::size_t i, LayerActivations& kept) {
  const std::size_t rows = rows_after_attention(i).count;
  float* const product = buffers_.d_in.data<float>();
  weights_.layers[i].down->multiply(kept.ffn.data(), rows, product, kept.low_down, crew_);
  add_to_stream(kept.middle.data<float>(), {}, product, {rows, nullptr},
                buffers_.streams[i + 1].data<float>());
}

void LearnerPass::norm(const float* stream, const LearnedTensor& weight, std::size_t rows,
                       AlignedBuffer& out) {
  for_rows(rows, [&](std::size_t first, std::size_t end, std::size_t, CrewScratch&) {
    for (std::size_t r = first; r < end; ++r) {
      const float* const row = stream + r * hidden();
      if (engine_.element == Element::kBf16) {
        engine_.kernels.rms_norm_bf16(row, weight.values, config_.rms_epsilon, hidden(),
                                      out.data<Bf16>() + r * hidden());
      } else {
        engine_.kernels.rms_norm_f32(row, weight.values, config_.rms_epsilon, hidden(),
                                     out.data<float>() + r * hidden());
      }
    }
  });
}

// Biases, norms and rotation of the heads.
void LearnerPass::finish_qkv(const LearnedLayer& layer, LayerActivations& kept) {
  const std::size_t head_dim = config_.head_dim;
  const std::size_t half = head_dim / 2;
  for_rows(rows_, [&](std::size_t first, std::size_t end, std::size_t, CrewScratch&) {
    for (std::size_t r = first; r < end; ++r) {
      float* const qkv = row_of(kept.qkv, r, qkv_size());
      if (layer.qkv_bias.exists()) engine_.kernels.add(layer.qkv_bias.values, qkv_size(), qkv);
      if (config_.has_qk_norm) {
        std::copy_n(qkv, qkv_size(), row_of(kept.raw_qkv, r, qkv_size()));
      }
      for (std::size_t head = 0; head < config_.num_heads + config_.num_kv_heads; ++head) {
        float* const values = qkv + head * head_dim;
        if (config_.has_qk_norm) {
          const float* const weight =
              head < config_.num_heads ? layer.q_norm.values : layer.k_norm.values;
          engine_.kernels.rms_norm_f32(values, weight, config_.rms_epsilon, head_dim, values);
        }
        engine_.kernels.rotate_head(values, row_of(buffers_.cosines, r, half),
                                    row_of(buffers_.sines, r, half), half);
      }
      if (engine_.attention.queries == Element::kBf16) round_row(qkv, q_size());
      if (engine_.attention.keys == Element::kBf16) round_row(qkv + q_size(), 2 * kv_size());
    }
  });
}

// Of the stream the rows that `rows` names; `added` and `out` hold these alone.
void LearnerPass::add_to_stream(const float* stream, const LearnedTensor& bias, const float* added,
                                const RowSet& rows, float* out) {
  for_rows(rows.count, [&](std::size_t first, std::size_t end, std::size_t, CrewScratch&) {
    for (std::size_t r = first; r < end; ++r) {
      float* const row = out + r * hidden();
      std::copy_n(stream + rows[r] * hidden(), hidden(), row);
      engine_.kernels.add(added + r * hidden(), hidden(), row);
      if (bias.exists()) engine_.kernels.add(bias.values, hidden(), row);
    }
  });
}

// From the product in float32; what is kept of it is rounded as activations are.
void LearnerPass::run_swiglu(const LearnedLayer& layer, std::size_t rows, LayerActivations& kept) {
  const std::size_t ffn = config_.ffn_size;
  const bool is_rounded = engine_.element == Element::kBf16;
  AlignedBuffer& product = is_rounded ? buffers_.gate_up : kept.gate_up;
  product.reserve(padded_ * 2 * ffn * sizeof(float));
  layer.gate_up->multiply(kept.ffn_normed.data(), rows, product.data<float>(), kept.low_gate_up,
                          crew_);
  for_rows(rows, [&](std::size_t first, std::size_t end, std::size_t, CrewScratch&) {
    for (std::size_t r = first; r < end; ++r) {
      const float* const gate = row_of(product, r, 2 * ffn);
      if (is_rounded) {
        engine_.kernels.swiglu_bf16(gate, gate + ffn, ffn, kept.ffn.data<Bf16>() + r * ffn);
        engine_.kernels.scale_bf16(gate, 1.0f, 2 * ffn, kept.gate_up.data<Bf16>() + r * 2 * ffn);
      } else {
        engine_.kernels.swiglu_f32(gate, gate + ffn, ffn, kept.ffn.data<float>() + r * ffn);
      }
    }
  });
}

// The rows that `rows` names, one after another. Padding rows stay as they are.
void LearnerPass::to_activations(const float* from, const RowSet& rows, std::size_t width,
                                 AlignedBuffer& to) {
  const std::size_t row_bytes = width * element_bytes(engine_.element);
  for_rows(rows.count, [&](std::size_t first, std::size_t end, std::size_t, CrewScratch&) {
    for (std::size_t r = first; r < end; ++r) {
      store_row(engine_.kernels, engine_.element, from + rows[r] * width, width,
                to.data() + r * row_bytes);
    }
  });
}

// Attention ---------------------------------------------------------------------------------------

KeyRows LearnerPass::key_rows(const LayerActivations& kept, std::size_t tile,
                              std::size_t kv_head) const {
  const RowTile& rows = layout_.tiles[tile];
  const float* const keys =
      row_of(kept.qkv, rows.first_row, qkv_size()) + q_size() + kv_head * config_.head_dim;
  return {keys, keys + kv_size(), qkv_size(), rows.count};
}

std::byte* LearnerPass::packed_tile(std::size_t tile, std::size_t kv_head) const {
  const std::size_t index = kv_head * layout_.tiles.size() + tile;
  return buffers_.key_tiles.data() +
         index * engine_.attention_backward.key_tile_bytes(config_.head_dim);
}

void LearnerPass::pack_keys(const LayerActivations& kept) {
  const std::size_t num_tiles = layout_.tiles.size();
  crew_.for_parts(config_.num_kv_heads * num_tiles, [&](std::size_t part, CrewScratch&) {
    const std::size_t kv_head = part / num_tiles;
    const std::size_t tile = part % num_tiles;
    engine_.attention_backward.pack_key_tile(key_rows(kept, tile, kv_head), config_.head_dim,
                                             packed_tile(tile, kv_head));
  });
}

// All that queries of a segment look at: the tiles of its ancestors, and its own.
std::vector<KeyTile> LearnerPass::key_tiles(const LayerActivations& kept,
                                            const SegmentLayout& segment, std::size_t head,
                                            std::size_t share) {
  const std::size_t head_dim = config_.head_dim;
  const std::size_t kv_head = head / (config_.num_heads / config_.num_kv_heads);
  std::vector<KeyTile> tiles;
  const auto add = [&](const SegmentLayout& seen) {
    for (std::size_t t = seen.first_tile; t < seen.first_tile + seen.num_tiles; ++t) {
      float* const d_keys = d_head(head, share, layout_.tiles[t].first_row);
      tiles.push_back({key_rows(kept, t, kv_head), packed_tile(t, kv_head), d_keys,
                       d_keys + head_dim, 2 * head_dim});
    }
  };
  for (const std::size_t ancestor : segment.ancestors) add(layout_.segments[ancestor]);
  add(segment);
  return tiles;
}

// A tile of queries of a segment, by its number there; it sees the tiles up to its own.
QueryTile LearnerPass::query_tile(LayerActivations& kept, const SegmentLayout& segment,
                                  std::size_t own_tile, std::size_t head,
                                  const std::vector<KeyTile>& tiles) {
  const std::size_t head_dim = config_.head_dim;
  const RowTile& rows = layout_.tiles[segment.first_tile + own_tile];
  QueryTile query{};
  query.queries = row_of(kept.qkv, rows.first_row, qkv_size()) + head * head_dim;
  query.query_stride = qkv_size();
  query.count = rows.count;
  query.first_query = rows.first_in_segment;
  query.head_dim = head_dim;
  query.scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  query.tiles = tiles.data();
  query.num_own = own_tile + 1;
  query.num_tiles = tiles.size() - segment.num_tiles + query.num_own;
  query.log_sums = kept.log_sums.data<float>() + head * padded_ + rows.first_row;
  query.out = row_of(kept.attended, rows.first_row, q_size()) + head * head_dim;
  query.out_stride = q_size();
  query.d_out = row_of(buffers_.d_in, rows.first_row, q_size()) + head * head_dim;
  query.d_queries = row_of(buffers_.d_qkv, rows.first_row, qkv_size()) + head * head_dim;
  return query;
}

void LearnerPass::attend(std::size_t layer, LayerActivations& kept) {
  attention_.run(
      {kept.qkv.data<float>(), kept.attended.data<float>(), kept.log_sums.data<float>(), padded_},
      is_last(layer), buffers_.blocks, crew_);
}

// One part a family, head and share of its query tiles: what these give to keys and values is
// summed in the order of the queries, by one thread.
void LearnerPass::attend_backward(std::size_t layer, LayerActivations& kept) {
  pack_keys(kept);
  std::vector<std::size_t> families(layout_.families.size());
  std::iota(families.begin(), families.end(), std::size_t{0});
  const auto num_tiles = [&](std::size_t family) {
    std::size_t count = 0;
    for (const std::size_t s : layout_.families[family]) count += layout_.segments[s].num_tiles;
    return count;
  };
  std::stable_sort(families.begin(), families.end(),
                   [&](std::size_t a, std::size_t b) { return num_tiles(a) > num_tiles(b); });
  const std::size_t head_dim = config_.head_dim;
  const std::size_t parts_of_family = config_.num_heads * kQueryShares;
  crew_.for_parts(families.size() * parts_of_family, [&](std::size_t part, CrewScratch& scratch) {
    const std::size_t head = part % config_.num_heads;
    const std::size_t share = part % parts_of_family / config_.num_heads;
    scratch.tile.reserve(engine_.attention_backward.scratch_bytes(head_dim));
    std::size_t turn = 0;
    for (const std::size_t s : layout_.families[families[part / parts_of_family]]) {
      const SegmentLayout& segment = layout_.segments[s];
      std::fill_n(d_head(head, share, segment.first_row), segment.num_rows * 2 * head_dim, 0.0f);
      const std::vector<KeyTile> tiles = key_tiles(kept, segment, head, share);
      std::vector<QueryTile> queries;
      for (std::size_t t = 0; t < segment.num_tiles; ++t) {
        const RowTile& rows = layout_.tiles[segment.first_tile + t];
        if (is_last(layer) && !rows.is_wanted) {
          for (std::size_t r = 0; share == 0 && r < rows.count; ++r) {
            std::fill_n(row_of(buffers_.d_qkv, rows.first_row + r, qkv_size()) + head * head_dim,
                        head_dim, 0.0f);
          }
          continue;
        }
        if (turn++ % kQueryShares != share) continue;
        queries.push_back(query_tile(kept, segment, t, head, tiles));
      }
      for (std::size_t q = 0; q < queries.size(); q += kQueryGroup) {
        engine_.attention_backward.run(
            {&queries[q], std::min(kQueryGroup, queries.size() - q), scratch.tile.data()});
      }
    }
  });
}

// Backward ----------------------------------------------------------------------------------------

// d_stream comes as the gradient of the layer's output and leaves as that of its input.
void LearnerPass::back_through_layer(std::size_t i, LayerActivations& kept) {
  back_through_ffn(weights_.layers[i], rows_after_attention(i).count, kept);
  back_through_attention(i, kept);
}

void LearnerPass::back_through_ffn(const LearnedLayer& layer, std::size_t rows,
                                   LayerActivations& kept) {
  const std::size_t ffn = config_.ffn_size;
  const std::size_t activation = element_bytes(engine_.element);
  AlignedBuffer& g = buffers_.g;
  float* const d_in = buffers_.d_in.data<float>();
  g.reserve(padded_ * widest_out(config_) * activation);
  clear_padding(g, rows, hidden() * activation);
  to_activations(buffers_.d_stream.data<float>(), {rows, nullptr}, hidden(), g);
  layer.down->multiply_backward(g.data(), rows, d_in, buffers_.d_low, crew_);
  layer.down->accumulate(kept.ffn.data(), g.data(), rows, kept.low_down, buffers_.d_low, crew_);
  clear_padding(g, rows, 2 * ffn * activation);
  for_rows(rows, [&](std::size_t first, std::size_t end, std::size_t, CrewScratch&) {
    for (std::size_t r = first; r < end; ++r) {
      const float* const d_ffn = d_in + r * ffn;
      const std::size_t row = r * 2 * ffn;
      if (engine_.element == Element::kBf16) {
        const Bf16* const gate = kept.gate_up.data<Bf16>() + row;
        Bf16* const out = g.data<Bf16>() + row;
        engine_.learning.swiglu_backward_bf16(gate, gate + ffn, d_ffn, ffn, out, out + ffn);
      } else {
        const float* const gate = kept.gate_up.data<float>() + row;
        float* const out = g.data<float>() + row;
        engine_.learning.swiglu_backward_f32(gate, gate + ffn, d_ffn, ffn, out, out + ffn);
      }
    }
  });
  layer.gate_up->multiply_backward(g.data(), rows, d_in, buffers_.d_low, crew_);
  layer.gate_up->accumulate(kept.ffn_normed.data(), g.data(), rows, kept.low_gate_up,
                            buffers_.d_low, crew_);
  back_through_norm(kept.middle.data<float>(), layer.ffn_norm, rows);
}

void LearnerPass::back_through_attention(std::size_t i, LayerActivations& kept) {
  const LearnedLayer& layer = weights_.layers[i];
  const RowSet rows = rows_after_attention(i);
  const std::size_t activation = element_bytes(engine_.element);
  AlignedBuffer& g = buffers_.g;
  clear_padding(g, rows.count, hidden() * activation);
  to_activations(buffers_.d_stream.data<float>(), {rows.count, nullptr}, hidden(), g);
  add_bias_gradient(buffers_.d_stream.data<float>(), rows.count, hidden(), layer.output_bias);
  layer.attention_output->multiply_backward(g.data(), rows.count, buffers_.d_in.data<float>(),
                                            buffers_.d_low, crew_);
  layer.attention_output->accumulate(kept.attended_in.data(), g.data(), rows.count, kept.low_output,
                                     buffers_.d_low, crew_);
  spread(rows, q_size(), buffers_.d_in);
  spread(rows, hidden(), buffers_.d_stream);
  buffers_.d_heads.reserve(config_.num_heads * kQueryShares * padded_ * 2 * config_.head_dim *
                           sizeof(float));
  buffers_.d_qkv.reserve(padded_ * qkv_size() * sizeof(float));
  attend_backward(i, kept);
  back_through_heads(layer, kept);
  add_bias_gradient(buffers_.d_qkv.data<float>(), rows_, qkv_size(), layer.qkv_bias);
  clear_padding(g, rows_, qkv_size() * activation);
  to_activations(buffers_.d_qkv.data<float>(), {rows_, nullptr}, qkv_size(), g);
  layer.qkv->multiply_backward(g.data(), rows_, buffers_.d_in.data<float>(), buffers_.d_low, crew_);
  layer.qkv->accumulate(kept.normed.data(), g.data(), rows_, kept.low_qkv, buffers_.d_low, crew_);
  back_through_norm(buffers_.streams[i].data<float>(), layer.attention_norm, rows_);
}

// d_in is the gradient of the norm's output; adds that of its input to d_stream.
void LearnerPass::back_through_norm(const float* stream, const LearnedTensor& weight,
                                    std::size_t rows) {
  for_rows_summing(
      rows, hidden(), weight.gradient, [&](std::size_t first, std::size_t end, float* sums) {
        for (std::size_t r = first; r < end; ++r) {
          engine_.learning.rms_norm_backward(
              stream + r * hidden(), weight.values, config_.rms_epsilon, hidden(),
              row_of(buffers_.d_in, r, hidden()), row_of(buffers_.d_stream, r, hidden()), sums);
        }
      });
}

// The gradients of rotated and normed heads into those of the product: d_qkv.
void LearnerPass::back_through_heads(const LearnedLayer& layer, LayerActivations& kept) {
  const std::size_t head_dim = config_.head_dim;
  const std::size_t half = head_dim / 2;
  const std::size_t group = config_.num_heads / config_.num_kv_heads;
  for_rows(rows_, [&](std::size_t first, std::size_t end, std::size_t, CrewScratch&) {
    for (std::size_t r = first; r < end; ++r) {
      float* const d_qkv = row_of(buffers_.d_qkv, r, qkv_size());
      std::fill_n(d_qkv + q_size(), 2 * kv_size(), 0.0f);
      for (std::size_t head = 0; head < config_.num_heads; ++head) {
        float* const d_key = d_qkv + q_size() + head / group * head_dim;
        for (std::size_t share = 0; share < kQueryShares; ++share) {
          const float* const d_share = d_head(head, share, r);
          engine_.kernels.add(d_share, head_dim, d_key);
          engine_.kernels.add(d_share + head_dim, head_dim, d_key + kv_size());
        }
      }
      for (std::size_t head = 0; head < config_.num_heads + config_.num_kv_heads; ++head) {
        engine_.kernels.rotate_head(d_qkv + head * head_dim, row_of(buffers_.cosines, r, half),
                                    row_of(buffers_.negative_sines, r, half), half);
      }
    }
  });
  if (!config_.has_qk_norm) return;
  const auto norm_heads = [&](const LearnedTensor& weight, std::size_t start, std::size_t count) {
    for_rows_summing(
        rows_, head_dim, weight.gradient, [&](std::size_t first, std::size_t end, float* sums) {
          std::vector<float> d_head_in(head_dim);
          for (std::size_t r = first; r < end; ++r) {
            for (std::size_t head = 0; head < count; ++head) {
              const std::size_t at = start + head * head_dim;
              float* const d_out = row_of(buffers_.d_qkv, r, qkv_size()) + at;
              std::fill(d_head_in.begin(), d_head_in.end(), 0.0f);
              engine_.learning.rms_norm_backward(row_of(kept.raw_qkv, r, qkv_size()) + at,
                                                 weight.values, config_.rms_epsilon, head_dim,
                                                 d_out, d_head_in.data(), sums);
              std::copy(d_head_in.begin(), d_head_in.end(), d_out);
            }
          }
        });
  };
  norm_heads(layer.q_norm, 0, config_.num_heads);
  norm_heads(layer.k_norm, q_size(), config_.num_kv_heads);
}

void LearnerPass::add_bias_gradient(const float* g, std::size_t rows, std::size_t width,
                                    const LearnedTensor& bias) {
  if (bias.gradient == nullptr) return;
  for_rows_summing(rows, width, bias.gradient,
                   [&](std::size_t first, std::size_t end, float* sums) {
                     for (std::size_t r = first; r < end; ++r)
                       engine_.kernels.add(g + r * width, width, sums);
                   });
}

// Every thread takes some columns of all rows: a token may occur many times.
void LearnerPass::back_through_embedding() {
  if (weights_.embedding.gradient == nullptr) return;
  constexpr std::size_t kColumns = 64;
  crew_.for_parts((hidden() + kColumns - 1) / kColumns, [&](std::size_t part, CrewScratch&) {
    const std::size_t first = part * kColumns;
    const std::size_t count = std::min(kColumns, hidden() - first);
    for (std::size_t r = 0; r < rows_; ++r) {
      const auto id = static_cast<std::size_t>(layout_.ids[r]);
      engine_.kernels.add(row_of(buffers_.d_stream, r, hidden()) + first, count,
                          weights_.embedding.gradient + id * hidden() + first);
    }
  });
}

// Targets -----------------------------------------------------------------------------------------

std::vector<float> LearnerPass::run_targets(const LossSlope* slope) {
  const std::size_t vocabulary = config_.vocabulary_size;
  const std::size_t activation = element_bytes(engine_.element);
  const std::size_t num_targets = layout_.target_rows.size();
  std::vector<float> logprobs(num_targets);
  if (num_targets == 0) return logprobs;
  buffers_.target_in.reserve(kTargetChunk * hidden() * activation);
  buffers_.logits.reserve(kTargetChunk * vocabulary * sizeof(float));
  if (slope != nullptr) {
    buffers_.target_g.reserve(kTargetChunk * vocabulary * activation);
    buffers_.target_d_in.reserve(kTargetChunk * hidden() * sizeof(float));
  }
  for (std::size_t first = 0; first < num_targets; first += kTargetChunk) {
    const std::size_t count = std::min(kTargetChunk, num_targets - first);
    norm_targets(first, count);
    weights_.output->multiply(buffers_.target_in.data(), count, buffers_.logits.data<float>(),
                              buffers_.low_target, crew_);
    std::vector<float> tops(count);
    std::vector<float> sums(count);
    crew_.for_parts(count, [&](std::size_t t, CrewScratch&) {
      const float* const row = row_of(buffers_.logits, t, vocabulary);
      engine_.learning.softmax_terms(row, vocabulary, &tops[t], &sums[t]);
      logprobs[first + t] = row[layout_.target_ids[first + t]] - tops[t] - std::log(sums[t]);
    });
    if (slope == nullptr) continue;
    std::vector<float> slopes(count);
    for (std::size_t t = 0; t < count; ++t) slopes[t] = (*slope)(first + t, logprobs[first + t]);
    const std::size_t padding = padded_gradient_rows(count) - count;
    std::memset(buffers_.target_g.data() + count * vocabulary * activation, 0,
                padding * vocabulary * activation);
    crew_.for_parts(count, [&](std::size_t t, CrewScratch&) {
      const float* const row = row_of(buffers_.logits, t, vocabulary);
      const std::size_t target = layout_.target_ids[first + t];
      if (engine_.element == Element::kBf16) {
        engine_.learning.softmax_gradient_bf16(row, vocabulary, tops[t], sums[t], target, slopes[t],
                                               buffers_.target_g.data<Bf16>() + t * vocabulary);
      } else {
        engine_.learning.softmax_gradient_f32(row, vocabulary, tops[t], sums[t], target, slopes[t],
                                              buffers_.target_g.data<float>() + t * vocabulary);
      }
    });
    back_through_targets(first, count);
  }
  return logprobs;
}

void LearnerPass::norm_targets(std::size_t first, std::size_t count) {
  const std::size_t row_bytes = hidden() * element_bytes(engine_.element);
  const AlignedBuffer& stream = buffers_.streams.back();
  for (std::size_t t = 0; t < count; ++t) {
    const float* const row = row_of(stream, layout_.target_places[first + t], hidden());
    void* const out = buffers_.target_in.data() + t * row_bytes;
    if (engine_.element == Element::kBf16) {
      engine_.kernels.rms_norm_bf16(row, weights_.output_norm.values, config_.rms_epsilon, hidden(),
                                    static_cast<Bf16*>(out));
    } else {
      engine_.kernels.rms_norm_f32(row, weights_.output_norm.values, config_.rms_epsilon, hidden(),
                                   static_cast<float*>(out));
    }
  }
  std::memset(buffers_.target_in.data() + count * row_bytes, 0,
              (padded_gradient_rows(count) - count) * row_bytes);
}

// Several targets may share a row (completions of one prompt): one after another.
void LearnerPass::back_through_targets(std::size_t first, std::size_t count) {
  weights_.output->multiply_backward(buffers_.target_g.data(), count,
                                     buffers_.target_d_in.data<float>(), buffers_.d_low, crew_);
  weights_.output->accumulate(buffers_.target_in.data(), buffers_.target_g.data(), count,
                              buffers_.low_target, buffers_.d_low, crew_);
  for (std::size_t t = 0; t < count; ++t) {
    const std::size_t row = layout_.target_places[first + t];
    engine_.learning.rms_norm_backward(
        row_of(buffers_.streams.back(), row, hidden()), weights_.output_norm.values,
        config_.rms_epsilon, hidden(), row_of(buffers_.target_d_in, t, hidden()),
        row_of(buffers_.d_stream, row, hidden()), weights_.output_norm.gradient);
  }
}

}  // namespace rr::internal
