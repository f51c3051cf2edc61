#include "rr/nn/internal/batch.h"

#include <algorithm>

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
    const std::size_t num_keys = batch.rows[first_row + i + count - 1].position + 1;
    for (std::size_t head = 0; head < config.num_kv_heads; ++head) {
      batch.tasks.push_back({first_row + i, count, head, num_keys, 0});
    }
  }
}

void split_into_segments(std::size_t num_threads, Batch& batch) {
  constexpr std::size_t kTasksAThread = 4;
  if (num_threads == 1 || batch.tasks.size() >= kTasksAThread * num_threads) return;
  for (std::size_t t = 0; t < batch.tasks.size(); ++t) {
    batch.tasks[t].first_result = batch.segments.size();
    for (std::size_t s = 0; s < num_segments(batch.tasks[t]); ++s) batch.segments.push_back({t, s});
  }
}

}  // namespace

std::size_t positions_per_task(std::size_t heads_per_kv_head) {
  constexpr std::size_t kRows = 64;
  return std::max<std::size_t>(1, kRows / heads_per_kv_head);
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
  split_into_segments(num_threads, batch);
  return batch;
}

}  // namespace rr::internal
