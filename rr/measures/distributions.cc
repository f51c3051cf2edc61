#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "rr/base/check.h"
#include "rr/measures/internal/distributions.h"

namespace rr {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);  // std::lgamma writes a global
}

// The argument in [low, high] at which a rising function reaches `target`, by bisection.
template <typename Function>
double solve_rising(const Function& function, double target, double low, double high) {
  for (int i = 0; i < 200 && low < high; ++i) {
    const double middle = low + (high - low) / 2;
    if (middle == low || middle == high) break;
    (function(middle) < target ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

double away_from_zero(double x) {
  constexpr double kTiny = 1e-300;
  return std::abs(x) < kTiny ? kTiny : x;
}

// The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method in
// Thompson and Barnett's form (J. Comput. Phys. 64, 1986). Converges fast for x < (a+1)/(a+b+2).
double beta_fraction(double a, double b, double x) {
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double value = d;
  for (int step = 1; step < 10'000; ++step) {
    const double m = step;
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    value *= c * d;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    value *= c * d;
    if (std::abs(c * d - 1) < 1e-15) break;
  }
  return value;
}

// Regularised incomplete beta function I_x(a, b), 0 < x < 1.
double incomplete_beta(double a, double b, double x) {
  const double front = std::exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * std::log(x) +
                                b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

}  // namespace

double normal_cdf(double z) { return std::erfc(-z / std::numbers::sqrt2) / 2; }

double normal_quantile(double probability) {
  RR_CHECK(probability >= 0 && probability <= 1, "a probability lies between 0 and 1");
  if (probability == 0) return -kInfinity;
  if (probability == 1) return kInfinity;
  if (probability > 0.5) return -normal_quantile(1 - probability);
  return solve_rising(normal_cdf, probability, -40, 0);
}

double student_t_two_sided(double t, double degrees) {
  RR_CHECK(degrees >= 1, "a t distribution has at least one degree of freedom");
  if (t == 0) return 1;
  const double x = degrees / (degrees + t * t);
  return x <= 0 ? 0 : x >= 1 ? 1 : incomplete_beta(degrees / 2, 0.5, x);
}

double student_t_critical(double probability, double degrees) {
  RR_CHECK(probability > 0 && probability < 1, "a probability lies between 0 and 1");
  const auto reached = [degrees](double t) { return -student_t_two_sided(t, degrees); };
  double high = 1;
  while (reached(high) < -probability) high *= 2;
  return solve_rising(reached, -probability, 0, high);
}

// With s the sample's standard deviation as a fraction of the true one:
// P(T <= t) = integral over s of Phi(t s - shift) times the density of s, where degrees * s^2 is
// chi-squared distributed. By Simpson's rule; beyond 12 standard deviations of s nothing is left.
double noncentral_t_cdf(double t, double degrees, double shift) {
  RR_CHECK(degrees >= 1, "a t distribution has at least one degree of freedom");
  constexpr int kIntervals = 4'000;
  const double reach = 12 / std::sqrt(2 * degrees);
  const double low = std::max(0.0, 1 - reach);
  const double width = (1 + reach - low) / kIntervals;
  const double log_scale =
      std::numbers::ln2 + degrees / 2 * std::log(degrees / 2) - log_gamma(degrees / 2);
  double sum = 0;
  for (int i = 0; i <= kIntervals; ++i) {
    const double s = low + i * width;
    const double log_power = degrees == 1 ? 0 : (degrees - 1) * std::log(s);
    const double density = std::exp(log_scale + log_power - degrees * s * s / 2);
    const double weight = i == 0 || i == kIntervals ? 1 : i % 2 == 1 ? 4 : 2;
    sum += weight * density * normal_cdf(t * s - shift);
  }
  return std::min(1.0, sum * width / 3);
}

}  // namespace rr
