#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "rr/synth/sample.h"

namespace rr {

// The self-consistency filter: a teacher labelled each passage by itself, knowing the answer, and
// ordered the list without it. Where the two do not agree, one of them is wrong, and the sample is
// not worth learning. As published (arXiv 2508.07050, section 3): nDCG@10 of the order against the
// labels as binary truth; samples below 0.4 are removed.

inline constexpr double kPublishedThreshold = 0.4;

// nDCG@10 of final_list with labels_of() as truth, in [0, 1]. With one positive, rank 4 gives 0.431
// and rank 5 gives 0.387. Requires a final_list.
double consistency_of(const Sample& sample);

// Kept iff it is ranked and consistency_of() >= threshold.
bool is_consistent(const Sample& sample, double threshold);

// How the samples of one data set came through.
struct ConsistencyCounts {
  static constexpr std::size_t kBins = 10;
  static constexpr std::array kGrid = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7};  // as published

  std::string dataset;
  std::size_t samples = 0;
  std::size_t unranked = 0;           // without a final_list: dropped
  std::size_t kept = 0;               // at the report's threshold
  double mean = 0;                    // nDCG@10 of those ranked; 0 where there are none
  std::size_t first_is_negative = 0;  // of those ranked: the teacher's first choice is no positive

  // Of those ranked, by nDCG@10: [0, 0.1), [0.1, 0.2), ..., [0.9, 1].
  std::array<std::size_t, kBins> histogram = {};

  // What each threshold of kGrid would keep.
  std::array<std::size_t, kGrid.size()> kept_at = {};

  std::size_t ranked() const { return samples - unranked; }
  std::size_t dropped() const { return samples - kept; }
};

struct ConsistencyReport {
  double threshold = kPublishedThreshold;
  std::vector<ConsistencyCounts> datasets;  // in the order in which they came first
  ConsistencyCounts all;                    // named "all"
};
ConsistencyReport report_consistency(std::span<const Sample> samples, double threshold);

}  // namespace rr
