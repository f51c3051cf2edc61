#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "rr/synth/internal/hash_multimap.h"
#include "rr/synth/text_fingerprint.h"

namespace rr {

// Finds texts that are nearly equal without comparing each with each: fingerprints are cut into
// bands, and only texts that share a whole band are compared (Indyk and Motwani, STOC 1998). With
// 16 bands of 8 places two texts of similarity 0.8 are compared with a chance of 95 %, of 0.9 with
// 99.99 %, of 0.5 with 6 %.
class NearDuplicates {
 public:
  // Texts of at least this similarity are near duplicates. In (0, 1].
  explicit NearDuplicates(double threshold = 0.8) : threshold_(threshold) {}

  struct Match {
    std::size_t text;
    double similarity;
  };
  // The most similar text added so far; of equals the first. nullopt: none reaches the threshold.
  std::optional<Match> find(const MinHash& fingerprint) const;

  // Adds a text; it gets the next number, from 0.
  void add(const MinHash& fingerprint);

  std::size_t size() const { return fingerprints_.size(); }

 private:
  double threshold_;
  std::vector<MinHash> fingerprints_;
  internal::HashMultimap bands_;  // texts by band and what stands there
};

}  // namespace rr
