#include "rr/nn/internal/learner_attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "rr/nn/internal/attention_learning.h"
#include "rr/nn/internal/batch.h"
#include "rr/nn/internal/forward_pass.h"

namespace rr::internal {
namespace {

KvShape shape_of(const DecoderConfig& config, Element keys) {
  return {1, config.num_kv_heads, config.head_dim, keys};
}

// What one task works in: one piece of memory.
struct TaskBuffers {
  TaskBuffers(AlignedBuffer& buffer, std::size_t rows, std::size_t head_dim) {
    const std::size_t padded = padded_attention_rows(rows);
    const std::size_t queries_bytes = padded * head_dim * sizeof(float);
    const std::size_t scratch_bytes = attention_scratch_bytes(rows, head_dim);
    const std::size_t result_bytes = segment_result_floats(rows, head_dim) * sizeof(float);
    buffer.reserve(queries_bytes + scratch_bytes + 2 * result_bytes);
    queries = buffer.data();
    scratch = queries + queries_bytes;
    auto* const results = static_cast<float*>(static_cast<void*>(scratch + scratch_bytes));
    segment = SegmentResult::at(results, rows, head_dim);
    total = SegmentResult::at(results + segment_result_floats(rows, head_dim), rows, head_dim);
    std::memset(queries, 0, queries_bytes);
  }

  std::byte* queries;
  std::byte* scratch;
  SegmentResult segment;
  SegmentResult total;
};

}  // namespace

LearnerBlocks lay_out_blocks(const LearnerLayout& layout) {
  LearnerBlocks blocks;
  for (const SegmentLayout& segment : layout.segments) {
    const std::size_t start = layout.positions[segment.first_row];
    const std::size_t num_full = start / kKvBlockTokens;
    std::vector<std::size_t>& path = blocks.of_segment.emplace_back();
    std::vector<std::size_t> open;  // the block that is being filled
    if (!segment.ancestors.empty()) {
      const std::vector<std::size_t>& before = blocks.of_segment[segment.ancestors.back()];
      path.assign(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(num_full));
      if (start % kKvBlockTokens != 0) open = blocks.rows[before[num_full]];
    }
    const auto close = [&] {
      path.push_back(blocks.rows.size());
      blocks.rows.push_back(std::move(open));
      open.clear();
    };
    for (std::size_t i = 0; i < segment.num_rows; ++i) {
      open.push_back(segment.first_row + i);
      if (open.size() == kKvBlockTokens) close();
    }
    if (!open.empty()) close();
  }
  return blocks;
}

LearnerAttention::LearnerAttention(const DecoderConfig& config, const RowKernels& kernels,
                                   const AttentionKernel& attention, const LearnerLayout& layout)
    : config_(config),
      kernels_(kernels),
      attention_(attention),
      shape_(shape_of(config, attention.keys)),
      layout_(layout),
      blocks_(lay_out_blocks(layout)) {
  const std::size_t a_task = positions_per_task(config.num_heads / config.num_kv_heads);
  for (std::size_t s = 0; s < layout.segments.size(); ++s) {
    for (std::size_t i = 0; i < layout.segments[s].num_rows; i += a_task) {
      tasks_.push_back({s, i, std::min(a_task, layout.segments[s].num_rows - i)});
    }
  }
  std::reverse(tasks_.begin(), tasks_.end());  // those that see most come first
}

void LearnerAttention::run(const LearnerAttentionRows& rows, bool wanted_only,
                           AlignedBuffer& blocks, Crew& crew) const {
  blocks.reserve(blocks_.rows.size() * shape_.block_bytes());
  crew.for_parts(blocks_.rows.size(), [&](std::size_t b, CrewScratch&) {
    fill_block(b, rows.qkv, blocks.data() + b * shape_.block_bytes());
  });
  crew.for_parts(tasks_.size() * config_.num_kv_heads, [&](std::size_t part, CrewScratch& scratch) {
    const Task& task = tasks_[part / config_.num_kv_heads];
    if (wanted_only && !is_wanted(task)) return;
    attend(task, part % config_.num_kv_heads, rows, blocks.data(), scratch.tile);
  });
}

bool LearnerAttention::is_wanted(const Task& task) const {
  const std::size_t first_tile = layout_.segments[task.segment].first_tile;
  const std::size_t last = (task.first + task.count - 1) / kLearningTile;
  for (std::size_t t = task.first / kLearningTile; t <= last; ++t) {
    if (layout_.tiles[first_tile + t].is_wanted) return true;
  }
  return false;
}

void LearnerAttention::fill_block(std::size_t block, const float* qkv, std::byte* out) const {
  const std::size_t head_dim = config_.head_dim;
  const std::size_t q_size = config_.num_heads * head_dim;
  const std::size_t kv_size = config_.num_kv_heads * head_dim;
  const std::vector<std::size_t>& rows = blocks_.rows[block];
  // Attention multiplies what is not there by 0.
  if (rows.size() < kKvBlockTokens) std::memset(out, 0, shape_.block_bytes());
  for (std::size_t t = 0; t < rows.size(); ++t) {
    const float* const keys = qkv + rows[t] * (q_size + 2 * kv_size) + q_size;
    for (std::size_t head = 0; head < config_.num_kv_heads; ++head) {
      const float* const key = keys + head * head_dim;
      attention_.write_kv(key, key + kv_size, t, head_dim, out + shape_.key_offset(0, head),
                          out + shape_.value_offset(0, head));
    }
  }
}

// All heads of one KV head, at some following tokens of a segment.
void LearnerAttention::attend(const Task& task, std::size_t kv_head,
                              const LearnerAttentionRows& rows, const std::byte* blocks,
                              AlignedBuffer& scratch) const {
  const std::size_t head_dim = config_.head_dim;
  const std::size_t group = config_.num_heads / config_.num_kv_heads;
  const std::size_t qkv_size = (config_.num_heads + 2 * config_.num_kv_heads) * head_dim;
  const std::size_t first_row = layout_.segments[task.segment].first_row + task.first;
  const std::size_t num_rows = task.count * group;
  TaskBuffers buffers(scratch, num_rows, head_dim);
  std::vector<std::size_t> visible(num_rows);
  for (std::size_t i = 0; i < task.count; ++i) {
    const float* const from = rows.qkv + (first_row + i) * qkv_size + kv_head * group * head_dim;
    const std::size_t target = i * group * head_dim;
    if (attention_.queries == Element::kBf16) {
      kernels_.scale_bf16(from, 1.0f, group * head_dim,
                          static_cast<Bf16*>(static_cast<void*>(buffers.queries)) + target);
    } else {
      std::copy_n(from, group * head_dim,
                  static_cast<float*>(static_cast<void*>(buffers.queries)) + target);
    }
    std::fill_n(visible.data() + i * group, group, layout_.positions[first_row + i] + 1);
  }
  const std::vector<std::size_t>& path = blocks_.of_segment[task.segment];
  const std::size_t num_blocks = layout_.positions[first_row + task.count - 1] / kKvBlockTokens + 1;
  const std::byte* keys[kSegmentBlocks];
  const std::byte* values[kSegmentBlocks];
  AttentionTile tile{};
  tile.queries = buffers.queries;
  tile.rows = num_rows;
  tile.head_dim = head_dim;
  tile.visible = visible.data();
  tile.scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  tile.keys = keys;
  tile.values = values;
  tile.scratch = buffers.scratch;
  for (std::size_t first = 0; first < num_blocks; first += kSegmentBlocks) {
    const SegmentResult& result = first == 0 ? buffers.total : buffers.segment;
    tile.num_blocks = std::min(kSegmentBlocks, num_blocks - first);
    for (std::size_t b = 0; b < tile.num_blocks; ++b) {
      const std::byte* const block = blocks + path[first + b] * shape_.block_bytes();
      keys[b] = block + shape_.key_offset(0, kv_head);
      values[b] = block + shape_.value_offset(0, kv_head);
    }
    tile.first_key = first * kKvBlockTokens;
    tile.out = result.out;
    tile.max = result.max;
    tile.sum = result.sum;
    attention_.attend(tile);
    if (first == 0) continue;
    kernels_.merge_attention(num_rows, head_dim, result.max, result.sum, result.out,
                             buffers.total.max, buffers.total.sum, buffers.total.out);
  }
  for (std::size_t r = 0; r < num_rows; ++r) {
    const std::size_t row = first_row + r / group;
    const std::size_t head = kv_head * group + r % group;
    kernels_.scale_f32(buffers.total.out + r * head_dim, 1.0f / buffers.total.sum[r], head_dim,
                       rows.attended + (row * config_.num_heads + head) * head_dim);
    rows.log_sums[head * rows.log_sums_stride + row] =
        buffers.total.max[r] + std::log(buffers.total.sum[r]);
  }
}

}  // namespace rr::internal
