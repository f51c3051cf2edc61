#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "rr/nn/decoder.h"
#include "rr/nn/internal/kv_sequence.h"

namespace rr::internal {

// One token of a forward pass.
struct BatchRow {
  std::int32_t id;
  KvBlockSequence* sequence;
  std::size_t position;  // in its sequence
};

// Queries of some following positions of one sequence, all heads of one KV head, against all keys
// that any of them sees.
struct AttentionTask {
  std::size_t first_row;  // of the batch
  std::size_t num_positions;
  std::size_t kv_head;
  std::size_t num_keys;      // seen by the last position
  std::size_t first_result;  // index of its first segment's result, when segments are split
};

// Keys are attended to in segments of this many tokens, merged in their order, whether one thread
// takes all segments of a task or several do: so the result is the same.
constexpr std::size_t kSegmentTokens = 512;
constexpr std::size_t kSegmentBlocks = kSegmentTokens / kKvBlockTokens;

constexpr std::size_t num_segments(const AttentionTask& task) {
  return (task.num_keys + kSegmentTokens - 1) / kSegmentTokens;
}

// What a forward pass has to do, worked out before it starts.
struct Batch {
  std::vector<BatchRow> rows;
  std::vector<std::size_t> wanted_rows;  // rows whose logits are wanted
  std::vector<AttentionTask> tasks;      // the longest first

  // Segments one by one as (task, segment), when there are too few tasks for the threads; else
  // empty.
  struct Segment {
    std::size_t task;
    std::size_t segment;
  };
  std::vector<Segment> segments;
};

// Positions that one attention task takes: their rows fill a tile of about 64.
std::size_t positions_per_task(std::size_t heads_per_kv_head);

// Makes room in the sequences for the chunks and lays out the work.
Batch plan_batch(std::span<const DecoderChunk> chunks, const DecoderConfig& config,
                 std::size_t num_threads);

}  // namespace rr::internal
