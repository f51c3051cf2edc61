#include "rr/nn/internal/batch.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <utility>

#include "rr/base/check.h"

namespace rr::internal {
namespace {

KvBlockSequence* checked_sequence(const DecoderChunk& chunk, const DecoderConfig& config) {
  auto* const sequence = dynamic_cast<KvBlockSequence*>(chunk.sequence);
  RR_CHECK(sequence != nullptr, "a chunk needs a sequence of this decoder");
  RR_CHECK(!chunk.ids.empty(), "a chunk needs tokens");
  RR_CHECK(sequence->length() + chunk.ids.size() <= config.context_length,
           "a sequence must fit into the context");
  return sequence;
}

void add_rows(const DecoderChunk& chunk, const DecoderConfig& config, KvBlockSequence* sequence,
              Batch& batch) {
  for (std::size_t i = 0; i < chunk.ids.size(); ++i) {
    const std::int32_t id = chunk.ids[i];
    RR_CHECK(id >= 0 && static_cast<std::size_t>(id) < config.vocabulary_size,
             "a token id must be inside the vocabulary");
    const bool is_last = i + 1 == chunk.ids.size();
    const bool is_wanted =
        chunk.logits == LogitsWanted::kAll || (chunk.logits == LogitsWanted::kLast && is_last);
    if (is_wanted) batch.wanted_rows.push_back(batch.rows.size());
    batch.rows.push_back({id, sequence, sequence->length() + i});
  }
}

void add_tasks(std::size_t first_row, std::size_t num_rows, const DecoderConfig& config,
               Batch& batch) {
  const std::size_t step = positions_per_task(config.num_heads / config.num_kv_heads);
  for (std::size_t i = 0; i < num_rows; i += step) {
    const std::size_t count = std::min(step, num_rows - i);
    const std::size_t end = first_row + i + count;
    const std::size_t num_keys = batch.rows[end - 1].position + 1;
    const auto wanted = std::lower_bound(batch.wanted_rows.begin(), batch.wanted_rows.end(), end);
    const bool is_wanted =
        wanted != batch.wanted_rows.begin() && *std::prev(wanted) >= first_row + i;
    for (std::size_t head = 0; head < config.num_kv_heads; ++head) {
      batch.tasks.push_back({first_row + i, count, head, num_keys, is_wanted});
    }
  }
}

// Where the blocks of a full segment lie: sequences with the same ones have it in common.
using SegmentBlocks = std::array<const std::byte*, kSegmentBlocks>;

SegmentBlocks blocks_of(const KvBlockSequence& sequence, std::size_t segment) {
  SegmentBlocks blocks;
  for (std::size_t b = 0; b < kSegmentBlocks; ++b) {
    blocks[b] = sequence.block_data(segment * kSegmentBlocks + b);
  }
  return blocks;
}

// Full segments that every position of the task sees whole. The task's own tokens are in none.
std::size_t whole_segments(const AttentionTask& task, const Batch& batch) {
  return batch.rows[task.first_row].position / kSegmentTokens;
}

// Lays out the segments that are attended to ahead.
class TilePlanner {
 public:
  TilePlanner(std::size_t heads_per_kv_head, Batch& batch)
      : heads_per_kv_head_(heads_per_kv_head), batch_(batch), found_(batch.tasks.size()) {}

  // Segments that tasks of a few rows have in common with others. Those of many rows fill their
  // tiles alone.
  void share() {
    for (std::size_t t = 0; t < batch_.tasks.size(); ++t) {
      if (rows_of(t) * 2 <= kTileRows) open_.push_back(t);
    }
    for (std::size_t segment = 0; open_.size() >= 2; ++segment) share(segment);
  }

  // All segments that are not shared, each by itself.
  void split() {
    for (std::size_t t = 0; t < batch_.tasks.size(); ++t) {
      const std::size_t end = num_segments(batch_.tasks[t]);
      while (found_[t].size() < end) add({t}, found_[t].size());
    }
  }

  void finish() {
    for (std::size_t t = 0; t < batch_.tasks.size(); ++t) {
      batch_.tasks[t].first_ahead = batch_.ahead.size();
      batch_.tasks[t].num_ahead = found_[t].size();
      batch_.ahead.insert(batch_.ahead.end(), found_[t].begin(), found_[t].end());
    }
  }

 private:
  std::size_t rows_of(std::size_t task) const {
    return batch_.tasks[task].num_positions * heads_per_kv_head_;
  }

  // Who has this segment in common with nobody has nothing behind it in common either.
  void share(std::size_t segment) {
    std::map<std::pair<std::size_t, SegmentBlocks>, std::vector<std::size_t>> sharers;
    for (const std::size_t t : open_) {
      const AttentionTask& task = batch_.tasks[t];
      if (whole_segments(task, batch_) <= segment) continue;
      const KvBlockSequence& sequence = *batch_.rows[task.first_row].sequence;
      sharers[{task.kv_head, blocks_of(sequence, segment)}].push_back(t);
    }
    open_.clear();
    for (const auto& [blocks, tasks] : sharers) {
      if (tasks.size() < 2) continue;
      add_in_tiles(tasks, segment);
      open_.insert(open_.end(), tasks.begin(), tasks.end());
    }
    std::sort(open_.begin(), open_.end());
  }

  void add_in_tiles(const std::vector<std::size_t>& tasks, std::size_t segment) {
    std::vector<std::size_t> tile;
    std::size_t num_rows = 0;
    for (const std::size_t t : tasks) {
      if (num_rows + rows_of(t) > kTileRows) {
        add(std::exchange(tile, {}), segment);
        num_rows = 0;
      }
      tile.push_back(t);
      num_rows += rows_of(t);
    }
    add(std::move(tile), segment);
  }

  void add(std::vector<std::size_t> tasks, std::size_t segment) {
    std::size_t first_row = 0;
    for (const std::size_t t : tasks) {
      found_[t].push_back({batch_.tiles.size(), first_row});
      first_row += rows_of(t);
    }
    batch_.tiles.push_back({std::move(tasks), segment});
  }

  std::size_t heads_per_kv_head_;
  Batch& batch_;
  std::vector<std::vector<Batch::Ahead>> found_;  // one a task
  std::vector<std::size_t> open_;                 // tasks whose segments so far are all shared
};

void plan_tiles(std::size_t heads_per_kv_head, std::size_t num_threads, Batch& batch) {
  constexpr std::size_t kTasksAThread = 4;
  TilePlanner planner(heads_per_kv_head, batch);
  planner.share();
  if (num_threads > 1 && batch.tasks.size() < kTasksAThread * num_threads) planner.split();
  planner.finish();
}

}  // namespace

std::size_t positions_per_task(std::size_t heads_per_kv_head) {
  return std::max<std::size_t>(1, kTileRows / heads_per_kv_head);
}

Batch plan_batch(std::span<const DecoderChunk> chunks, const DecoderConfig& config,
                 std::size_t num_threads) {
  Batch batch;
  std::vector<const KvSequence*> sequences;
  for (const DecoderChunk& chunk : chunks) {
    KvBlockSequence* const sequence = checked_sequence(chunk, config);
    sequences.push_back(sequence);
    sequence->reserve(chunk.ids.size());
    const std::size_t first_row = batch.rows.size();
    add_rows(chunk, config, sequence, batch);
    add_tasks(first_row, chunk.ids.size(), config, batch);
  }
  std::sort(sequences.begin(), sequences.end());
  RR_CHECK(std::adjacent_find(sequences.begin(), sequences.end()) == sequences.end(),
           "a sequence may have one chunk in a batch");
  std::stable_sort(batch.tasks.begin(), batch.tasks.end(),
                   [](const AttentionTask& a, const AttentionTask& b) {
                     return a.num_keys * a.num_positions > b.num_keys * b.num_positions;
                   });
  plan_tiles(config.num_heads / config.num_kv_heads, num_threads, batch);
  return batch;
}

}  // namespace rr::internal
