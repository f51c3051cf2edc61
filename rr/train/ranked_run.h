#pragma once

#include <span>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/nn/parameter.h"
#include "rr/ranks/ranks.h"
#include "rr/train/adamw.h"
#include "rr/train/checkpoint.h"

namespace rr {

// The folder of a run that several ranks train: all read it, the first alone writes it, and they go
// on together or fail together. Every rank makes the same calls.

// Refuses ranks whose weights differ in a bit.
Status check_same_weights(Ranks& ranks, std::span<const Parameter> parameters);

// RunFolder::restore() on every rank, of one checkpoint; then all have the same weights.
Result<CheckpointState> restore_on_all(Ranks& ranks, const RunFolder& folder,
                                       std::span<const Parameter> parameters, AdamW& optimiser,
                                       std::vector<std::string>& damaged);

// Holds the ranks' weights against each other, then RunFolder::save().
Status save_from_first(Ranks& ranks, const RunFolder& folder, std::span<const Parameter> parameters,
                       AdamW& optimiser, const CheckpointState& state, std::size_t keep_last);

// What `write` does, on the first rank.
template <typename Write>
Status write_on_first(Ranks& ranks, const Write& write) {
  return agree(ranks, ranks.is_first() ? write() : ok_status());
}

}  // namespace rr
