#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace rr {

// Could chance alone have made two runs differ by as much? For all functions here:
//
// differences: value of one run minus value of the other, one for each topic that both have,
// finite. A p-value is two-sided and lies in [0, 1]: how often topics on which the runs do not
// differ would
//     give a difference at least as large. Below two topics it is 1: nothing can be told.

struct PairedTest {
  double statistic = 0;
  double p_value = 1;
};

// Student's t: statistic = mean / (standard deviation / sqrt(n)), n - 1 degrees of freedom.
// Equal differences other than 0 give an infinite statistic and p = 0.
PairedTest paired_t_test(std::span<const double> differences);

// Wilcoxon's signed ranks. statistic = the smaller of the sums of the ranks of positive and of
// negative differences; topics without a difference are left out, ties share their mean rank.
//
// The same choice as scipy.stats.wilcoxon with its defaults: exact without ties and zeros up to 50
// topics, and with them up to 13; otherwise the normal approximation with its variance corrected
// for ties, and no continuity correction. Differences closer than 1e-10 count as tied, and below
// that as 0: what rounding left of equal ones (scipy: round to 10 decimals first).
PairedTest wilcoxon_signed_rank(std::span<const double> differences);

// Fisher's randomisation (permutation) test of the mean: each topic's difference keeps or changes
// its sign. statistic = the mean difference.
//
// Exact over all sign patterns up to kExactRandomisation topics with a difference other than 0.
// Above, (1 + patterns as extreme) / (1 + samples) over patterns drawn from `seed`: the same
// arguments, the same value. Requires samples >= 1.
inline constexpr std::size_t kExactRandomisation = 20;
inline constexpr std::size_t kRandomisationSamples = 100'000;
PairedTest randomisation_test(std::span<const double> differences, std::uint64_t seed,
                              std::size_t samples = kRandomisationSamples);

// Several comparisons find something by chance more often than one. Both give adjusted p-values in
// the order of `p_values`: reject where adjusted <= alpha, and the chance of any false rejection
// stays at most alpha.
//
// Bonferroni: p times the number of comparisons, at most 1.
// Holm (Scand. J. Statist. 6(2), 1979), never weaker: the i-th smallest of m times (m - i + 1), at
// least the adjusted value before it, at most 1.
std::vector<double> bonferroni(std::span<const double> p_values);
std::vector<double> holm(std::span<const double> p_values);

// Cohen's d of paired values (d_z): mean difference / its standard deviation over topics (n - 1).
// By Cohen's usage about 0.2 is small, 0.5 medium, 0.8 large. 0 where all differences are 0 or
// there are fewer than two; infinite where all are equal and not 0.
double effect_size(std::span<const double> differences);

// The smallest true mean difference that a two-sided t-test at level `alpha` finds with probability
// `power`, were the differences to spread as these do: by the noncentral t distribution. Smaller
// differences need more topics. nullopt below two topics; 0 where nothing spreads.
// Requires 0 < alpha < power < 1.
std::optional<double> smallest_detectable_difference(std::span<const double> differences,
                                                     double alpha = 0.05, double power = 0.8);

}  // namespace rr
