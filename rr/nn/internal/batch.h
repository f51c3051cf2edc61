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
// that any of them sees. The keys come in segments, whose results are merged in their order.
struct AttentionTask {
  std::size_t first_row;  // of the batch
  std::size_t num_positions;
  std::size_t kv_head;
  std::size_t num_keys;  // seen by the last position
  bool is_wanted;        // logits of one of its rows at least

  // Its first segments are worked out ahead, as parts of tiles: the result of segment s stands at
  // Batch::ahead[first_ahead + s].
  std::size_t num_ahead = 0;
  std::size_t first_ahead = 0;
};

// Keys are attended to in segments of this many tokens: small enough to share out and to find again
// in another sequence. Whoever attends to a segment, and beside whom, its result is the same, and
// so is what the segments come to together.
constexpr std::size_t kSegmentTokens = 512;
constexpr std::size_t kSegmentBlocks = kSegmentTokens / kKvBlockTokens;

constexpr std::size_t num_segments(const AttentionTask& task) {
  return (task.num_keys + kSegmentTokens - 1) / kSegmentTokens;
}

// The queries of some tasks against one segment that they have in common.
struct SegmentTile {
  std::vector<std::size_t> tasks;  // of one KV head
  std::size_t segment;
};

// What a forward pass has to do, worked out before it starts.
struct Batch {
  std::vector<BatchRow> rows;
  std::vector<std::size_t> wanted_rows;  // rows whose logits are wanted
  std::vector<AttentionTask> tasks;      // the longest first

  // Segments that are attended to before the tasks: those that several sequences have in common, so
  // that their keys and values are read once for all of them; and, when there are too few tasks for
  // the threads, all.
  std::vector<SegmentTile> tiles;
  struct Ahead {
    std::size_t tile;
    std::size_t first_row;  // of the task's rows in the tile's result
  };
  std::vector<Ahead> ahead;
};

// Rows of an attention tile: enough to fill a kernel, few enough for a core's cache.
constexpr std::size_t kTileRows = 64;

// Positions that one attention task takes: their rows fill a tile of about 64.
std::size_t positions_per_task(std::size_t heads_per_kv_head);

// Makes room in the sequences for the chunks and lays out the work.
Batch plan_batch(std::span<const DecoderChunk> chunks, const DecoderConfig& config,
                 std::size_t num_threads);

}  // namespace rr::internal
