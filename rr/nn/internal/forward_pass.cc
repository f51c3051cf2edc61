#include "rr/nn/internal/forward_pass.h"

#include <algorithm>
#include <cmath>

namespace rr::internal {
namespace {

constexpr std::size_t kSmallBatch = kMaxProductRows;

std::size_t max_panel(const DecoderWeights& weights) {
  const LayerWeights& layer = weights.layers[0];
  return std::max({weights.output->max_panel_outputs(), layer.qkv->max_panel_outputs(),
                   layer.attention_output->max_panel_outputs(), layer.gate_up->max_panel_outputs(),
                   layer.down->max_panel_outputs()});
}

std::size_t tile_rows(const DecoderConfig& config) {
  return std::max(kTileRows, config.num_heads / config.num_kv_heads);
}

// Blocks of rows for threads to take: equal, at most kMaxProductRows, a multiple of the threads.
std::size_t rows_per_block(std::size_t num_rows, std::size_t num_threads) {
  const std::size_t rounds =
      (num_rows + num_threads * kMaxProductRows - 1) / (num_threads * kMaxProductRows);
  return (num_rows + rounds * num_threads - 1) / (rounds * num_threads);
}

void reserve(Worker& worker, const DecoderConfig& config, const DecoderWeights& weights,
             const Engine& engine) {
  const std::size_t activation = element_bytes(engine.activation);
  const std::size_t rows = kMaxProductRows;
  const std::size_t tile = tile_rows(config);
  const std::size_t result = segment_result_floats(tile, config.head_dim) * sizeof(float);
  worker.normed.reserve(rows * config.hidden_size * activation);
  worker.product.reserve(rows * max_panel(weights) * sizeof(float));
  worker.qkv.reserve(rows * (config.num_heads + 2 * config.num_kv_heads) * config.head_dim *
                     sizeof(float));
  worker.ffn.reserve(rows * config.ffn_size * activation);
  worker.queries.reserve(padded_attention_rows(tile) * config.head_dim * sizeof(float));
  worker.attention_scratch.reserve(attention_scratch_bytes(tile, config.head_dim));
  worker.segment.reserve(result);
  worker.total.reserve(result);
  worker.visible.resize(tile);
  worker.keys.resize(kSegmentBlocks);
  worker.values.resize(kSegmentBlocks);
}

}  // namespace

std::size_t scratch_bytes(const DecoderConfig& config, ProductFamily family, std::size_t max_rows,
                          std::size_t num_threads) {
  const std::size_t activation = element_bytes(activation_element(family));
  const std::size_t q_size = config.num_heads * config.head_dim;
  const std::size_t qkv = q_size + 2 * config.num_kv_heads * config.head_dim;
  const std::size_t block = kMaxProductRows;
  const std::size_t rows = max_rows + block;
  const std::size_t panel = 2 * 1024;
  const std::size_t quantised = is_quantised(family) ? 2 * block * config.ffn_size : 0;
  const std::size_t a_worker = block * (config.hidden_size + config.ffn_size) * activation +
                               quantised + block * (panel + qkv) * sizeof(float) +
                               attention_scratch_bytes(tile_rows(config), config.head_dim) * 3;
  const std::size_t shared =
      rows * (config.hidden_size + config.head_dim + q_size) * sizeof(float) +
      rows * (q_size + config.hidden_size) * activation + block * qkv * sizeof(float) +
      block * config.ffn_size * activation;
  return shared + num_threads * a_worker;
}

ForwardPass::ForwardPass(const DecoderConfig& config, const DecoderWeights& weights,
                         const Engine& engine, const Batch& batch, SharedBuffers& shared,
                         std::span<Worker> workers, float* logits)
    : config_(config),
      weights_(weights),
      engine_(engine),
      kernels_(*engine.kernels),
      batch_(batch),
      shared_(shared),
      workers_(workers),
      logits_(logits),
      num_rows_(batch.rows.size()),
      hidden_(config.hidden_size),
      q_size_(config.num_heads * config.head_dim),
      qkv_size_((config.num_heads + 2 * config.num_kv_heads) * config.head_dim),
      heads_per_kv_head_(config.num_heads / config.num_kv_heads) {
  const std::size_t activation = element_bytes(engine.activation);
  const std::size_t padded = num_rows_ + kMaxProductRows;  // a last block may be read as a full one
  const std::size_t half = config.head_dim / 2;
  shared_.x.reserve(num_rows_ * hidden_ * sizeof(float));
  shared_.cosines.reserve(num_rows_ * half * sizeof(float));
  shared_.sines.reserve(num_rows_ * half * sizeof(float));
  shared_.qkv.reserve(kSmallBatch * qkv_size_ * sizeof(float));
  shared_.queries.reserve(num_rows_ * q_size_ * sizeof(float));
  shared_.attended.reserve(padded * q_size_ * activation);
  shared_.ffn.reserve(kSmallBatch * config.ffn_size * activation);
  shared_.segments.reserve(batch.tiles.size() * result_floats() * sizeof(float));
  shared_.wanted.reserve((batch.wanted_rows.size() + kMaxProductRows) * hidden_ * activation);
  for (Worker& worker : workers_) reserve(worker, config, weights, engine);
}

void ForwardPass::run(Team::Member& member) {
  embed(member);
  if (is_small()) {
    run_small(member);
  } else {
    run_large(member);
  }
  write_logits(member);
}

bool ForwardPass::is_small() const { return num_rows_ <= kSmallBatch; }

// The residual stream's start, and each row's rotation.
void ForwardPass::embed(Team::Member& member) {
  constexpr std::size_t kRowsAPart = 16;
  const std::size_t half = config_.head_dim / 2;
  member.for_parts((num_rows_ + kRowsAPart - 1) / kRowsAPart, [&](std::size_t part) {
    const std::size_t end = std::min(num_rows_, (part + 1) * kRowsAPart);
    for (std::size_t r = part * kRowsAPart; r < end; ++r) {
      weights_.embed(static_cast<std::size_t>(batch_.rows[r].id), hidden_, x_row(r));
      const auto position = static_cast<float>(batch_.rows[r].position);
      for (std::size_t i = 0; i < half; ++i) {
        const double angle = position * config_.rope.inverse_frequencies[i];
        const double factor = config_.rope.attention_factor;
        shared_.cosines.data<float>()[r * half + i] = static_cast<float>(std::cos(angle) * factor);
        shared_.sines.data<float>()[r * half + i] = static_cast<float>(std::sin(angle) * factor);
      }
    }
  });
}

void ForwardPass::run_small(Team::Member& member) {
  Worker& worker = workers_[member.index()];
  const RowBlock all{0, num_rows_};
  float* const qkv = shared_.qkv.data<float>();
  for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
    const LayerWeights& layer = weights_.layers[i];
    // Every thread norms all rows for itself: that is quicker than to wait for another.
    const auto norm_for = [&](const std::vector<float>& weight) {
      return [&] { norm_rows(weight.data(), all, worker.normed.data()); };
    };
    const std::size_t a_panel = layer.qkv->panel_outputs(0);
    member.for_parts(
        layer.qkv->num_panels(), norm_for(layer.attention_norm), [&](std::size_t panel) {
          float* const product = worker.product.data<float>();
          layer.qkv->multiply(panel, num_rows_, worker.normed.data(), product, worker.products);
          const std::size_t outputs = layer.qkv->panel_outputs(panel);
          for (std::size_t r = 0; r < num_rows_; ++r) {
            std::copy_n(product + r * outputs, outputs, qkv + r * qkv_size_ + panel * a_panel);
          }
        });
    member.for_parts(num_rows_,
                     [&](std::size_t row) { finish_qkv_row(i, row, qkv + row * qkv_size_); });
    attend(i, Rows::kAll, member);
    member.for_parts(layer.attention_output->num_panels(), [&](std::size_t panel) {
      multiply_and_add(*layer.attention_output, panel, attended_row(0), all, layer.output_bias,
                       worker);
    });
    member.for_parts(layer.gate_up->num_panels(), norm_for(layer.ffn_norm), [&](std::size_t panel) {
      multiply_gate_up(layer, panel, num_rows_, worker.normed.data(), shared_.ffn.data(), worker);
    });
    member.for_parts(layer.down->num_panels(), [&](std::size_t panel) {
      multiply_and_add(*layer.down, panel, shared_.ffn.data(), all, {}, worker);
    });
  }
}

void ForwardPass::run_large(Team::Member& member) {
  Worker& worker = workers_[member.index()];
  const std::size_t a_block = rows_per_block(num_rows_, workers_.size());
  const std::size_t num_blocks = (num_rows_ + a_block - 1) / a_block;
  const auto block_of = [&](std::size_t part) {
    return RowBlock{part * a_block, std::min(a_block, num_rows_ - part * a_block)};
  };
  member.for_parts(num_blocks, [&](std::size_t b) { project_qkv(0, block_of(b), worker); });
  for (std::size_t i = 0; i + 1 < weights_.layers.size(); ++i) {
    attend(i, Rows::kAll, member);
    member.for_parts(num_blocks, [&](std::size_t b) {
      run_ffn(i, block_of(b), worker);
      project_qkv(i + 1, block_of(b), worker);
    });
  }
  run_last_layer(member);
}

// From its attention on. The wanted rows move to the front.
void ForwardPass::run_last_layer(Team::Member& member) {
  const std::size_t last = weights_.layers.size() - 1;
  const std::size_t num_wanted = batch_.wanted_rows.size();
  if (num_wanted == 0) return;
  attend(last, Rows::kWanted, member);
  member.for_parts(1, [&](std::size_t) {
    const std::size_t row_bytes = q_size_ * element_bytes(engine_.activation);
    for (std::size_t i = 0; i < num_wanted; ++i) {
      const std::size_t row = batch_.wanted_rows[i];  // i or behind it
      if (row == i) continue;
      std::copy_n(x_row(row), hidden_, x_row(i));
      std::copy_n(attended_row(row), row_bytes, attended_row(i));
    }
  });
  const std::size_t a_block = rows_per_block(num_wanted, workers_.size());
  member.for_parts((num_wanted + a_block - 1) / a_block, [&](std::size_t b) {
    const std::size_t first = b * a_block;
    run_ffn(last, {first, std::min(a_block, num_wanted - first)}, workers_[member.index()]);
  });
}

void ForwardPass::write_logits(Team::Member& member) {
  const std::size_t num_wanted = batch_.wanted_rows.size();
  if (num_wanted == 0) return;
  Worker& worker = workers_[member.index()];
  const std::size_t row_bytes = hidden_ * element_bytes(engine_.activation);
  member.for_parts(num_wanted, [&](std::size_t i) {
    norm_rows(weights_.output_norm.data(), {is_small() ? batch_.wanted_rows[i] : i, 1},
              shared_.wanted.data() + i * row_bytes);
  });
  const Linear& output = *weights_.output;
  const std::size_t num_blocks = (num_wanted + kMaxProductRows - 1) / kMaxProductRows;
  member.for_parts(num_blocks * output.num_panels(), [&](std::size_t part) {
    const std::size_t panel = part % output.num_panels();
    const std::size_t first = part / output.num_panels() * kMaxProductRows;
    const std::size_t count = std::min(kMaxProductRows, num_wanted - first);
    float* const product = worker.product.data<float>();
    output.multiply(panel, count, shared_.wanted.data() + first * row_bytes, product,
                    worker.products);
    const std::size_t outputs = output.panel_outputs(panel);
    float* const target =
        logits_ + first * config_.vocabulary_size + panel * output.panel_outputs(0);
    for (std::size_t r = 0; r < count; ++r) {
      std::copy_n(product + r * outputs, outputs, target + r * config_.vocabulary_size);
    }
  });
}

// out: activations, one row after another.
void ForwardPass::norm_rows(const float* weight, RowBlock block, void* out) const {
  for (std::size_t r = 0; r < block.count; ++r) {
    const float* const row = x_row(block.first + r);
    if (engine_.activation == Element::kBf16) {
      kernels_.rms_norm_bf16(row, weight, config_.rms_epsilon, hidden_,
                             static_cast<Bf16*>(out) + r * hidden_);
    } else {
      kernels_.rms_norm_f32(row, weight, config_.rms_epsilon, hidden_,
                            static_cast<float*>(out) + r * hidden_);
    }
  }
}

void ForwardPass::project_qkv(std::size_t layer, RowBlock block, Worker& worker) {
  const LayerWeights& weights = weights_.layers[layer];
  norm_rows(weights.attention_norm.data(), block, worker.normed.data());
  float* const product = worker.product.data<float>();
  float* const qkv = worker.qkv.data<float>();
  const std::size_t a_panel = weights.qkv->panel_outputs(0);
  for (std::size_t panel = 0; panel < weights.qkv->num_panels(); ++panel) {
    weights.qkv->multiply(panel, block.count, worker.normed.data(), product, worker.products);
    const std::size_t outputs = weights.qkv->panel_outputs(panel);
    for (std::size_t r = 0; r < block.count; ++r) {
      std::copy_n(product + r * outputs, outputs, qkv + r * qkv_size_ + panel * a_panel);
    }
  }
  for (std::size_t r = 0; r < block.count; ++r) {
    finish_qkv_row(layer, block.first + r, qkv + r * qkv_size_);
  }
}

// Biases, norms and rotation of one row's heads; its queries and its keys and values go where
// attention looks for them.
void ForwardPass::finish_qkv_row(std::size_t layer, std::size_t row, float* qkv) {
  const LayerWeights& weights = weights_.layers[layer];
  const std::size_t head_dim = config_.head_dim;
  const std::size_t half = head_dim / 2;
  if (!weights.qkv_bias.empty()) kernels_.add(weights.qkv_bias.data(), qkv_size_, qkv);
  const float* const cosines = shared_.cosines.data<float>() + row * half;
  const float* const sines = shared_.sines.data<float>() + row * half;
  for (std::size_t head = 0; head < config_.num_heads + config_.num_kv_heads; ++head) {
    float* const values = qkv + head * head_dim;
    if (config_.has_qk_norm) {
      const auto& norm = head < config_.num_heads ? weights.q_norm : weights.k_norm;
      kernels_.rms_norm_f32(values, norm.data(), config_.rms_epsilon, head_dim, values);
    }
    kernels_.rotate_head(values, cosines, sines, half);
  }
  std::copy_n(qkv, q_size_, shared_.queries.data<float>() + row * q_size_);
  const float* const keys = qkv + q_size_;
  write_row_kv(layer, row, keys, keys + config_.num_kv_heads * head_dim);
}

void ForwardPass::write_row_kv(std::size_t layer, std::size_t row, const float* keys,
                               const float* values) {
  const BatchRow& token = batch_.rows[row];
  const std::size_t slot = token.position % kKvBlockTokens;
  std::byte* const block = token.sequence->block_data(token.position / kKvBlockTokens);
  for (std::size_t head = 0; head < config_.num_kv_heads; ++head) {
    const std::size_t start = head * config_.head_dim;
    engine_.attention.write_kv(keys + start, values + start, slot, config_.head_dim,
                               block + engine_.kv.key_offset(layer, head),
                               block + engine_.kv.value_offset(layer, head));
  }
}

// Adds a panel's product (and bias) to its columns of the residual stream.
void ForwardPass::multiply_and_add(const Linear& linear, std::size_t panel, const void* in,
                                   RowBlock block, const std::vector<float>& bias, Worker& worker) {
  float* const product = worker.product.data<float>();
  linear.multiply(panel, block.count, in, product, worker.products);
  const std::size_t outputs = linear.panel_outputs(panel);
  const std::size_t first = panel * linear.panel_outputs(0);
  for (std::size_t r = 0; r < block.count; ++r) {
    float* const target = x_row(block.first + r) + first;
    kernels_.add(product + r * outputs, outputs, target);
    if (!bias.empty()) kernels_.add(bias.data() + first, outputs, target);
  }
}

// From the attention's output to the end of the layer, for some rows.
void ForwardPass::run_ffn(std::size_t layer, RowBlock block, Worker& worker) {
  const LayerWeights& weights = weights_.layers[layer];
  for (std::size_t p = 0; p < weights.attention_output->num_panels(); ++p) {
    multiply_and_add(*weights.attention_output, p, attended_row(block.first), block,
                     weights.output_bias, worker);
  }
  norm_rows(weights.ffn_norm.data(), block, worker.normed.data());
  for (std::size_t p = 0; p < weights.gate_up->num_panels(); ++p) {
    multiply_gate_up(weights, p, block.count, worker.normed.data(), worker.ffn.data(), worker);
  }
  for (std::size_t p = 0; p < weights.down->num_panels(); ++p) {
    multiply_and_add(*weights.down, p, worker.ffn.data(), block, {}, worker);
  }
}

// out: [rows, ffn] activations, of which the panel's columns are written.
void ForwardPass::multiply_gate_up(const LayerWeights& weights, std::size_t panel, std::size_t rows,
                                   const void* in, std::byte* out, Worker& worker) {
  float* const product = worker.product.data<float>();
  weights.gate_up->multiply(panel, rows, in, product, worker.products);
  const std::size_t width = weights.gate_up->panel_outputs(panel) / 2;
  const std::size_t first = panel * (weights.gate_up->panel_outputs(0) / 2);
  for (std::size_t r = 0; r < rows; ++r) {
    const float* const gate = product + r * 2 * width;
    void* const target = out + (r * config_.ffn_size + first) * element_bytes(engine_.activation);
    if (engine_.activation == Element::kBf16) {
      kernels_.swiglu_bf16(gate, gate + width, width, static_cast<Bf16*>(target));
    } else {
      kernels_.swiglu_f32(gate, gate + width, width, static_cast<float*>(target));
    }
  }
}

void ForwardPass::attend(std::size_t layer, Rows rows, Team::Member& member) {
  Worker& worker = workers_[member.index()];
  const auto is_needed = [&](std::size_t task) {
    return rows == Rows::kAll || batch_.tasks[task].is_wanted;
  };
  member.for_parts(batch_.tiles.size(), [&](std::size_t t) {
    const SegmentTile& tile = batch_.tiles[t];
    if (std::none_of(tile.tasks.begin(), tile.tasks.end(), is_needed)) return;
    attend_tile(layer, tile, tile_result(t), worker);
  });
  member.for_parts(batch_.tasks.size(), [&](std::size_t t) {
    if (is_needed(t)) attend_task(layer, batch_.tasks[t], worker);
  });
}

void ForwardPass::attend_tile(std::size_t layer, const SegmentTile& tile, float* result,
                              Worker& worker) {
  std::size_t num_rows = 0;
  for (const std::size_t t : tile.tasks) {
    gather_queries(batch_.tasks[t], num_rows, worker);
    num_rows += task_rows(batch_.tasks[t]);
  }
  pad_queries(num_rows, worker);
  attend_segment(layer, batch_.tasks[tile.tasks.front()], tile.segment, num_rows, result, worker);
}

// Merges what was worked out ahead, and attends to the rest.
void ForwardPass::attend_task(std::size_t layer, const AttentionTask& task, Worker& worker) {
  const std::size_t rows = task_rows(task);
  const std::size_t head_dim = config_.head_dim;
  float* const segment = worker.segment.data<float>();
  const SegmentResult total = SegmentResult::at(worker.total.data<float>(), rows, head_dim);
  const auto take = [&](const SegmentResult& result, std::size_t s) {
    if (s > 0) {
      merge(rows, result, total);
      return;
    }
    std::copy_n(result.out, rows * head_dim, total.out);
    std::copy_n(result.max, rows, total.max);
    std::copy_n(result.sum, rows, total.sum);
  };
  for (std::size_t s = 0; s < task.num_ahead; ++s) {
    const Batch::Ahead& ahead = batch_.ahead[task.first_ahead + s];
    take(SegmentResult::at(tile_result(ahead.tile), tile_rows(config_), head_dim, ahead.first_row),
         s);
  }
  if (task.num_ahead < num_segments(task)) {
    gather_queries(task, 0, worker);
    pad_queries(rows, worker);
  }
  for (std::size_t s = task.num_ahead; s < num_segments(task); ++s) {
    attend_segment(layer, task, s, rows, segment, worker);
    take(SegmentResult::at(segment, tile_rows(config_), head_dim), s);
  }
  write_attended(task, total);
}

// The gathered queries against a segment of the task's sequence.
void ForwardPass::attend_segment(std::size_t layer, const AttentionTask& task, std::size_t segment,
                                 std::size_t num_rows, float* result, Worker& worker) {
  const KvBlockSequence& sequence = *batch_.rows[task.first_row].sequence;
  const std::size_t first_block = segment * kSegmentBlocks;
  const std::size_t end_block =
      std::min(first_block + kSegmentBlocks, (task.num_keys + kKvBlockTokens - 1) / kKvBlockTokens);
  for (std::size_t b = first_block; b < end_block; ++b) {
    const std::byte* const block = sequence.block_data(b);
    worker.keys[b - first_block] = block + engine_.kv.key_offset(layer, task.kv_head);
    worker.values[b - first_block] = block + engine_.kv.value_offset(layer, task.kv_head);
  }
  const SegmentResult target = SegmentResult::at(result, tile_rows(config_), config_.head_dim);
  AttentionTile tile{};
  tile.queries = worker.queries.data();
  tile.rows = num_rows;
  tile.head_dim = config_.head_dim;
  tile.visible = worker.visible.data();
  tile.scale = 1.0f / std::sqrt(static_cast<float>(config_.head_dim));
  tile.keys = worker.keys.data();
  tile.values = worker.values.data();
  tile.num_blocks = end_block - first_block;
  tile.first_key = first_block * kKvBlockTokens;
  tile.out = target.out;
  tile.max = target.max;
  tile.sum = target.sum;
  tile.scratch = worker.attention_scratch.data();
  engine_.attention.attend(tile);
}

// A task's queries as attention takes them, in the tile's rows from `first_row` on; and what each
// of them sees.
void ForwardPass::gather_queries(const AttentionTask& task, std::size_t first_row, Worker& worker) {
  const std::size_t head_dim = config_.head_dim;
  const std::size_t group = heads_per_kv_head_ * head_dim;  // one position's heads lie together
  for (std::size_t i = 0; i < task.num_positions; ++i) {
    const std::size_t row = task.first_row + i;
    const std::size_t target = first_row + i * heads_per_kv_head_;
    const float* const from = shared_.queries.data<float>() + row * q_size_ + task.kv_head * group;
    if (engine_.attention.queries == Element::kBf16) {
      kernels_.scale_bf16(from, 1.0f, group, worker.queries.data<Bf16>() + target * head_dim);
    } else {
      std::copy_n(from, group, worker.queries.data<float>() + target * head_dim);
    }
    std::fill_n(worker.visible.begin() + static_cast<std::ptrdiff_t>(target), heads_per_kv_head_,
                batch_.rows[row].position + 1);
  }
}

void ForwardPass::pad_queries(std::size_t num_rows, Worker& worker) {
  const std::size_t used = num_rows * config_.head_dim;
  const std::size_t padding = padded_attention_rows(num_rows) * config_.head_dim - used;
  if (engine_.attention.queries == Element::kBf16) {
    std::fill_n(worker.queries.data<Bf16>() + used, padding, Bf16{0});
  } else {
    std::fill_n(worker.queries.data<float>() + used, padding, 0.0f);
  }
}

void ForwardPass::merge(std::size_t num_rows, const SegmentResult& result,
                        const SegmentResult& total) const {
  kernels_.merge_attention(num_rows, config_.head_dim, result.max, result.sum, result.out,
                           total.max, total.sum, total.out);
}

void ForwardPass::write_attended(const AttentionTask& task, const SegmentResult& total) {
  const std::size_t head_dim = config_.head_dim;
  for (std::size_t r = 0; r < task_rows(task); ++r) {
    const std::size_t row = task.first_row + r / heads_per_kv_head_;
    const std::size_t head = task.kv_head * heads_per_kv_head_ + r % heads_per_kv_head_;
    void* const target = attended_row(row) + head * head_dim * element_bytes(engine_.activation);
    const float share = 1.0f / total.sum[r];
    if (engine_.activation == Element::kBf16) {
      kernels_.scale_bf16(total.out + r * head_dim, share, head_dim, static_cast<Bf16*>(target));
    } else {
      kernels_.scale_f32(total.out + r * head_dim, share, head_dim, static_cast<float*>(target));
    }
  }
}

std::size_t ForwardPass::result_floats() const {
  return segment_result_floats(tile_rows(config_), config_.head_dim);
}

}  // namespace rr::internal
