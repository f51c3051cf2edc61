#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rr {

struct Interval {
  double low = 0;
  double high = 0;
};

struct BootstrapOptions {
  double confidence = 0.95;       // in (0, 1)
  std::size_t resamples = 9'999;  // at least 1
  std::uint64_t seed = 0;         // same seed and number of topics: the same topics drawn
};

// A confidence interval of the mean of `values`, one for each topic (of a run, or of the
// differences between two runs), by the bias-corrected and accelerated bootstrap (BCa; Efron, JASA
// 82(397), 1987): topics are drawn with replacement; the quantiles taken from the means so found
// are moved for the bias of their median and for skewness, the latter by the jackknife. Quantiles
// between two means are interpolated. One value, or equal ones, give an interval without width at
// their mean. Requires finite values, at least one.
Interval bootstrap_mean_interval(std::span<const double> values,
                                 const BootstrapOptions& options = {});

}  // namespace rr
