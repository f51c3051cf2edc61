#include "rr/measures/significance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "rr/base/check.h"
#include "rr/base/random.h"
#include "rr/measures/internal/distributions.h"
#include "rr/measures/internal/moments.h"

namespace rr {
namespace {

// Differences this close are equal but for rounding; measures are of the order of 1.
constexpr double kRounding = 1e-10;

std::vector<double> without_zeros(std::span<const double> differences) {
  std::vector<double> kept;
  for (const double difference : differences) {
    if (std::abs(difference) >= kRounding) kept.push_back(difference);
  }
  return kept;
}

struct SignedRanks {
  std::vector<std::size_t> doubled;  // twice the rank of each difference: whole for mean ranks too
  std::size_t doubled_positive = 0;  // sum over positive differences
  double tie_term = 0;               // sum over groups of t equal ones of t^3 - t

  std::size_t doubled_total() const {
    return std::accumulate(doubled.begin(), doubled.end(), std::size_t{0});
  }
};

// Requires differences without zeros.
SignedRanks rank(std::vector<double> differences) {
  std::sort(differences.begin(), differences.end(),
            [](double a, double b) { return std::abs(a) < std::abs(b); });
  SignedRanks ranks;
  for (std::size_t begin = 0, end = 0; begin < differences.size(); begin = end) {
    const double size = std::abs(differences[begin]);
    for (end = begin + 1; end < differences.size(); ++end) {
      if (std::abs(differences[end]) - size >= kRounding) break;
    }
    const std::size_t doubled_rank = begin + 1 + end;
    for (std::size_t i = begin; i < end; ++i) {
      ranks.doubled.push_back(doubled_rank);
      if (differences[i] > 0) ranks.doubled_positive += doubled_rank;
    }
    const auto tied = static_cast<double>(end - begin);
    ranks.tie_term += tied * tied * tied - tied;
  }
  return ranks;
}

// The chance of a sum of positive ranks as far from its middle or farther, where each sign is a
// coin: the distribution of the sum, one rank after the other.
double exact_signed_rank_p(const SignedRanks& ranks) {
  const std::size_t total = ranks.doubled_total();
  std::vector<double> chances(total + 1, 0.0);
  chances[0] = 1;
  for (const std::size_t rank : ranks.doubled) {
    for (std::size_t sum = total + 1; sum-- > 0;) {
      const double with_rank = sum >= rank ? chances[sum - rank] : 0.0;
      chances[sum] = (chances[sum] + with_rank) / 2;
    }
  }
  const std::size_t smaller = std::min(ranks.doubled_positive, total - ranks.doubled_positive);
  double tail = 0;
  for (std::size_t sum = 0; sum <= smaller; ++sum) tail += chances[sum];
  return std::min(1.0, 2 * tail);
}

double approximate_signed_rank_p(const SignedRanks& ranks) {
  const auto n = static_cast<double>(ranks.doubled.size());
  const double middle = n * (n + 1) / 4;
  const double variance = (n * (n + 1) * (2 * n + 1) - ranks.tie_term / 2) / 24;
  const double positive = static_cast<double>(ranks.doubled_positive) / 2;
  return 2 * normal_cdf(-std::abs(positive - middle) / std::sqrt(variance));
}

bool is_exact_in_scipy(std::size_t num_topics, const SignedRanks& ranks) {
  const bool has_ties = ranks.tie_term > 0 || ranks.doubled.size() < num_topics;
  return num_topics <= (has_ties ? 13 : 50);
}

// Sign patterns of differences[at..] whose sum with `sum` reaches `least`.
std::size_t count_reaching(std::span<const double> differences, double sum, double least) {
  if (differences.empty()) return sum >= least ? 1 : 0;
  const auto rest = differences.subspan(1);
  return count_reaching(rest, sum + differences[0], least) +
         count_reaching(rest, sum - differences[0], least);
}

// A pattern and its opposite are equally extreme, so the two tails are alike.
double exact_randomisation_p(std::span<const double> differences, double extreme) {
  const auto patterns = static_cast<double>(count_reaching(differences, 0, extreme));
  return std::min(1.0, 2 * std::ldexp(patterns, -static_cast<int>(differences.size())));
}

// The sum under random signs, 32 of them from one number.
double randomly_signed_sum(std::span<const double> differences, RandomStream& random) {
  double sum = 0;
  std::uint64_t signs = 0;
  for (std::size_t i = 0; i < differences.size(); ++i) {
    if (i % 32 == 0) signs = random.below(std::uint64_t{1} << 32U);
    sum += static_cast<double>(2 * static_cast<int>(signs & 1U) - 1) * differences[i];
    signs >>= 1U;
  }
  return sum;
}

double sampled_randomisation_p(std::span<const double> differences, double extreme,
                               std::uint64_t seed, std::size_t samples) {
  RandomStream random(seed, 0);
  std::size_t as_extreme = 0;
  for (std::size_t i = 0; i < samples; ++i) {
    if (std::abs(randomly_signed_sum(differences, random)) >= extreme) ++as_extreme;
  }
  return static_cast<double>(as_extreme + 1) / static_cast<double>(samples + 1);
}

}  // namespace

PairedTest paired_t_test(std::span<const double> differences) {
  if (differences.size() < 2) return {};
  const double effect = effect_size(differences);
  const auto n = static_cast<double>(differences.size());
  const double t = effect * std::sqrt(n);
  return {t, std::isinf(t) ? 0 : student_t_two_sided(t, n - 1)};
}

PairedTest wilcoxon_signed_rank(std::span<const double> differences) {
  const SignedRanks ranks = rank(without_zeros(differences));
  if (ranks.doubled.empty() || differences.size() < 2) return {};
  const std::size_t negative = ranks.doubled_total() - ranks.doubled_positive;
  const double statistic = static_cast<double>(std::min(ranks.doubled_positive, negative)) / 2;
  const bool exact = is_exact_in_scipy(differences.size(), ranks);
  return {statistic, exact ? exact_signed_rank_p(ranks) : approximate_signed_rank_p(ranks)};
}

PairedTest randomisation_test(std::span<const double> differences, std::uint64_t seed,
                              std::size_t samples) {
  RR_CHECK(samples >= 1, "a sampled test needs samples");
  const std::vector<double> kept = without_zeros(differences);
  const double mean = mean_of(differences);
  if (kept.empty() || differences.size() < 2) return {mean, 1};
  const double sum = std::accumulate(kept.begin(), kept.end(), 0.0);
  // A pattern that gives the same sum in another order of additions is as extreme.
  const double extreme = std::abs(sum) - kRounding;
  if (kept.size() <= kExactRandomisation) return {mean, exact_randomisation_p(kept, extreme)};
  return {mean, sampled_randomisation_p(kept, extreme, seed, samples)};
}

std::vector<double> bonferroni(std::span<const double> p_values) {
  std::vector<double> adjusted;
  for (const double p : p_values) {
    adjusted.push_back(std::min(1.0, p * static_cast<double>(p_values.size())));
  }
  return adjusted;
}

std::vector<double> holm(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double before = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto left = static_cast<double>(order.size() - i);
    before = std::clamp(p_values[order[i]] * left, before, 1.0);
    adjusted[order[i]] = before;
  }
  return adjusted;
}

double effect_size(std::span<const double> differences) {
  if (differences.size() < 2) return 0;
  const double mean = mean_of(differences);
  const double spread = standard_deviation_of(differences);
  if (mean == 0) return 0;
  if (spread > 0) return mean / spread;
  return std::copysign(std::numeric_limits<double>::infinity(), mean);
}

std::optional<double> smallest_detectable_difference(std::span<const double> differences,
                                                     double alpha, double power) {
  RR_CHECK(alpha > 0 && alpha < power && power < 1, "a test needs 0 < alpha < power < 1");
  if (differences.size() < 2) return std::nullopt;
  const double degrees = static_cast<double>(differences.size()) - 1;
  const double critical = student_t_critical(alpha, degrees);
  const auto power_at = [&](double shift) {
    return 1 - noncentral_t_cdf(critical, degrees, shift) +
           noncentral_t_cdf(-critical, degrees, shift);
  };
  double low = 0;
  double high = 1;
  while (power_at(high) < power) high *= 2;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (power_at(middle) < power ? low : high) = middle;
  }
  return high * standard_deviation_of(differences) / std::sqrt(degrees + 1);
}

}  // namespace rr
