#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "rr/base/result.h"
#include "rr/fusion/fuse.h"
#include "rr/ir/qrels.h"
#include "rr/measures/measure.h"

namespace rr {

// Chooses how to fuse runs by what serves a training set best.
struct TuneOptions {
  Measure measure = {.cutoff = 10};  // any but RBO
  std::size_t folds = 5;             // of the cross-validation, at least 2
  std::uint64_t seed = 0;            // of the folds
  std::size_t num_threads = 1;       // at least 1; the result does not depend on it
};

// What is open to tuning: all that is not set.
struct TuneSpace {
  std::optional<FusionMethod> method = {};
  std::optional<double> rrf_k = {};
  std::optional<Normalization> normalization = {};
  std::optional<AbsentScore> absent = {};
  std::size_t depth = 1'000;
};

// The families of that space: rrf with k of 60, 10, 30, 100 and 300, then weighted sums under
// min-max and zmuv; the latter with absent documents at 0 and at the lowest score.
std::vector<FusionOptions> families_of(const TuneSpace& space);

// What was chosen on some topics and how it did: on them, and on topics that had no say.
struct TunedFold {
  FusionOptions chosen;
  std::size_t num_held_out = 0;
  double trained = 0;   // mean over the topics that it was chosen on
  double held_out = 0;  // mean over the topics of this fold
};

struct Tuning {
  FusionOptions chosen;  // on all topics
  std::size_t num_topics = 0;
  double in_sample = 0;  // mean of `chosen` over the topics it was chosen on: too good to be true
  // Mean over all topics, each fused as was chosen without its fold: what to expect of `chosen` on
  // topics like these.
  double held_out = 0;
  std::vector<TunedFold> folds;
  std::vector<double> alone;   // mean of each run without the others
  double untuned = 0;          // of FusionOptions{} (rrf, k = 60, equal weights)
  std::size_t candidates = 0;  // settings that were tried
};

// Tunes the weights, and among `families` what fits them: each family fixes all of FusionOptions
// but the weights.
//
// Weights are multiples of 0.05 (two runs) or 0.1 (more) that sum to 1. For two and three runs all
// of them are tried. For more, coordinate search from equal weights and from each run alone: one
// weight at a time moves to the multiple of 0.1 that is best with the others scaled to fill up
// to 1, until no move helps. Equally good settings: the family that stands first, then the weights
// nearest to equal ones.
//
// Topics are those of `qrels` that some run has; folds are dealt from their shuffled list.
// Fails (kMalformed) where there are fewer topics than folds. Requires two runs or more and a
// family or more.
Result<Tuning> tune_fusion(std::span<const Run> runs, const Qrels& qrels,
                           std::span<const FusionOptions> families, const TuneOptions& options);

}  // namespace rr
