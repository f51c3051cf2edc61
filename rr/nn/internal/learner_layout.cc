#include "rr/nn/internal/learner_layout.h"

#include <algorithm>

#include "rr/base/check.h"
#include "rr/nn/internal/attention_learning.h"

namespace rr::internal {
namespace {

// The position of a segment's first token.
std::size_t start_position(const LearnerBatch& batch, const LearnerLayout& layout, std::size_t s) {
  const std::size_t parent = batch.segments[s].parent;
  if (parent == LearnerSegment::kNoParent) return 0;
  return layout
             .positions[layout.segments[parent].first_row + batch.segments[parent].ids.size() - 1] +
         1;
}

SegmentLayout place(const LearnerBatch& batch, LearnerLayout& layout, std::size_t s) {
  const std::size_t parent = batch.segments[s].parent;
  RR_CHECK(parent == LearnerSegment::kNoParent || parent < s, "a parent comes before its children");
  SegmentLayout placed{
      layout.num_rows(), batch.segments[s].ids.size(), layout.tiles.size(), 0, {}, 0};
  if (parent == LearnerSegment::kNoParent) {
    placed.root = layout.families.size();
    layout.families.emplace_back();
  } else {
    placed.ancestors = layout.segments[parent].ancestors;
    placed.ancestors.push_back(parent);
    placed.root = layout.segments[parent].root;
  }
  layout.families[placed.root].push_back(s);
  return placed;
}

void add_rows(const LearnerBatch& batch, const DecoderConfig& config, std::size_t s,
              LearnerLayout& layout) {
  const auto ids = batch.segments[s].ids;
  RR_CHECK(!ids.empty(), "a segment needs tokens");
  const std::size_t start = start_position(batch, layout, s);
  RR_CHECK(start + ids.size() <= config.context_length, "a segment must fit into the context");
  for (std::size_t i = 0; i < ids.size(); ++i) {
    RR_CHECK(ids[i] >= 0 && static_cast<std::size_t>(ids[i]) < config.vocabulary_size,
             "a token id must be inside the vocabulary");
    layout.ids.push_back(ids[i]);
    layout.positions.push_back(start + i);
  }
}

void add_tiles(std::size_t num_ids, SegmentLayout& placed, LearnerLayout& layout) {
  for (std::size_t i = 0; i < num_ids; i += kLearningTile) {
    layout.tiles.push_back({placed.first_row + i, std::min(kLearningTile, num_ids - i), i});
    ++placed.num_tiles;
  }
}

void add_target(const LearnerBatch& batch, const LearnerTarget& target, LearnerLayout& layout) {
  RR_CHECK(target.segment < batch.segments.size() &&
               target.token < batch.segments[target.segment].ids.size(),
           "a target must be a token of the batch");
  const LearnerSegment& segment = batch.segments[target.segment];
  std::size_t row = layout.segments[target.segment].first_row + target.token - 1;
  if (target.token == 0) {
    RR_CHECK(segment.parent != LearnerSegment::kNoParent, "nothing predicts a first token");
    row = layout.segments[segment.parent].first_row + batch.segments[segment.parent].ids.size() - 1;
  }
  layout.target_rows.push_back(row);
  layout.target_ids.push_back(static_cast<std::size_t>(segment.ids[target.token]));
}

void find_wanted_rows(LearnerLayout& layout) {
  std::vector<std::size_t>& wanted = layout.wanted_rows;
  wanted = layout.target_rows;
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  const auto place_of = [&](std::size_t row) {  // or of the next one that is wanted
    return static_cast<std::size_t>(std::lower_bound(wanted.begin(), wanted.end(), row) -
                                    wanted.begin());
  };
  for (const std::size_t row : layout.target_rows) layout.target_places.push_back(place_of(row));
  for (RowTile& tile : layout.tiles) {
    tile.is_wanted = place_of(tile.first_row) < place_of(tile.first_row + tile.count);
  }
}

}  // namespace

LearnerLayout lay_out(const LearnerBatch& batch, const DecoderConfig& config) {
  RR_CHECK(!batch.segments.empty(), "a batch needs a segment");
  LearnerLayout layout;
  for (std::size_t s = 0; s < batch.segments.size(); ++s) {
    SegmentLayout placed = place(batch, layout, s);
    add_rows(batch, config, s, layout);
    add_tiles(batch.segments[s].ids.size(), placed, layout);
    layout.segments.push_back(std::move(placed));
  }
  for (const LearnerTarget& target : batch.targets) add_target(batch, target, layout);
  find_wanted_rows(layout);
  return layout;
}

}  // namespace rr::internal
