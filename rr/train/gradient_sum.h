#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "rr/nn/learner.h"
#include "rr/ranks/ranks.h"

namespace rr {

// Sums the gradients of a step over all ranks while the last batch is still on its way back:
// neighbours make a bucket, and a bucket's sum begins as soon as the gradients in it are complete,
// from the end of the model to its beginning. The buckets are the same on all ranks, whatever each
// of them learns.
class GradientSum {
 public:
  static constexpr std::size_t kBucketBytes = std::size_t{16} << 20;

  // Both must outlive the sum. A bucket is closed when it has `bucket_bytes`.
  GradientSum(std::span<const Parameter> parameters, Ranks& ranks,
              std::size_t bucket_bytes = kBucketBytes);

  // For the last batch of a step. Requires that the sum outlives it.
  GradientListener listener();

  // Begins what has not begun, and waits for all: the step's gradients are the sums. Every rank has
  // to come here in every step, if only to say that it has nothing.
  void finish();

 private:
  struct Bucket {
    std::size_t first;  // parameter
    std::span<float> values;
  };
  void begin_from(std::size_t first);

  Ranks& ranks_;
  std::vector<Bucket> buckets_;  // the last gradients first
  std::size_t next_ = 0;
};

}  // namespace rr
