#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "rr/fusion/fuse.h"

namespace rr {

// One topic of several runs before their weights are known: what is left to do for each choice of
// weights is a sum.
struct FusedTopic {
  std::vector<Docid> docids;                 // all that any run has, descending
  std::vector<std::vector<double>> columns;  // [run][document]: what it adds at weight 1
};

// rankings: one for each run; nullptr where a run has none and takes no part. Of `options` count
// all but weights and depth.
FusedTopic prepare_topic(std::span<const Ranking* const> rankings, const FusionOptions& options);

struct WeightedDocument {
  std::size_t document;  // index into docids
  double score;          // the sum over runs, in their order, of weight * column
};

// The best `depth` documents, in trec_eval's order. Requires one weight for each column.
std::vector<WeightedDocument> weighted_order(const FusedTopic& topic,
                                             std::span<const double> weights, std::size_t depth);

}  // namespace rr
