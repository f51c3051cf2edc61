#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "rr/nn/decoder_config.h"
#include "rr/nn/learner.h"

namespace rr::internal {

// Some following tokens of one segment, at most kLearningTile.
struct RowTile {
  std::size_t first_row;  // of the batch
  std::size_t count;
  std::size_t first_in_segment;
  bool is_wanted = false;  // a target is predicted from one of its rows
};

struct SegmentLayout {
  std::size_t first_row;
  std::size_t num_rows;
  std::size_t first_tile;
  std::size_t num_tiles;
  std::vector<std::size_t> ancestors;  // the root first
  std::size_t root;                    // index among the roots
};

// A batch laid out in rows: segments one after another, each cut into tiles of its own.
struct LearnerLayout {
  std::vector<std::int32_t> ids;       // of each row
  std::vector<std::size_t> positions;  // of each row, counted from its root's first token
  std::vector<RowTile> tiles;
  std::vector<SegmentLayout> segments;
  std::vector<std::vector<std::size_t>> families;  // of each root: its segments, in their order

  // Of each target: the row whose logits predict it, and its token.
  std::vector<std::size_t> target_rows;
  std::vector<std::size_t> target_ids;

  std::vector<std::size_t> wanted_rows;    // the target rows in order, each once
  std::vector<std::size_t> target_places;  // of each target: where among these its row is

  std::size_t num_rows() const { return ids.size(); }
};

LearnerLayout lay_out(const LearnerBatch& batch, const DecoderConfig& config);

}  // namespace rr::internal
