#include "rr/measures/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "rr/base/check.h"
#include "rr/base/random.h"
#include "rr/measures/internal/distributions.h"
#include "rr/measures/internal/moments.h"

namespace rr {
namespace {

std::vector<double> sorted_resampled_means(std::span<const double> values,
                                           const BootstrapOptions& options) {
  RandomStream random(options.seed, 0);
  std::vector<double> means(options.resamples);
  for (double& mean : means) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += values[random.below(values.size())];
    mean = sum / static_cast<double>(values.size());
  }
  std::sort(means.begin(), means.end());
  return means;
}

// How far the resamples' median lies from the mean, in standard normal units.
double bias_correction(const std::vector<double>& sorted_means, double mean) {
  const auto [first, last] = std::equal_range(sorted_means.begin(), sorted_means.end(), mean);
  const auto below = static_cast<double>(first - sorted_means.begin());
  const auto equal = static_cast<double>(last - first);
  const auto count = static_cast<double>(sorted_means.size());
  // Where all resamples lie on one side, half of one is put on the other: the quantile stays
  // finite.
  return normal_quantile(std::clamp(below + equal / 2, 0.5, count - 0.5) / count);
}

// Of the mean the jackknife's n (mean without i) differ from their own mean by
// (mean - value i) / (n - 1), so it needs no resampling.
double acceleration(std::span<const double> values, double mean) {
  double squares = 0;
  double cubes = 0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
    cubes += (value - mean) * (value - mean) * (value - mean);
  }
  return cubes / (6 * std::pow(squares, 1.5));
}

double moved_quantile(double quantile, double bias, double accelerate) {
  const double z = bias + normal_quantile(quantile);
  const double shrinking = 1 - accelerate * z;
  if (shrinking <= 0) return z > 0 ? 1 : 0;  // beyond the transformation's range
  return normal_cdf(bias + z / shrinking);
}

double interpolated_at(const std::vector<double>& sorted, double quantile) {
  const double position = quantile * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = position - static_cast<double>(below);
  return sorted[below] + part * (sorted[above] - sorted[below]);
}

}  // namespace

Interval bootstrap_mean_interval(std::span<const double> values, const BootstrapOptions& options) {
  RR_CHECK(!values.empty(), "an interval needs values");
  RR_CHECK(options.confidence > 0 && options.confidence < 1, "a confidence lies between 0 and 1");
  RR_CHECK(options.resamples >= 1, "a bootstrap needs resamples");
  const double mean = mean_of(values);
  if (values.size() < 2 || standard_deviation_of(values) == 0) return {mean, mean};
  const std::vector<double> means = sorted_resampled_means(values, options);
  const double bias = bias_correction(means, mean);
  const double accelerate = acceleration(values, mean);
  const double outside = (1 - options.confidence) / 2;
  return {interpolated_at(means, moved_quantile(outside, bias, accelerate)),
          interpolated_at(means, moved_quantile(1 - outside, bias, accelerate))};
}

}  // namespace rr
