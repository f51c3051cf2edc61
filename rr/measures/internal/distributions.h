#pragma once

namespace rr {

// Distribution functions, to about 1e-12 where nothing else is said.

double normal_cdf(double z);

// z with normal_cdf(z) == probability; -inf at 0, +inf at 1. Requires 0 <= probability <= 1.
double normal_quantile(double probability);

// Student's t: the chance of a value at least as far from 0 as t. Requires degrees >= 1.
double student_t_two_sided(double t, double degrees);

// The t > 0 with student_t_two_sided(t, degrees) == probability. Requires 0 < probability < 1.
double student_t_critical(double probability, double degrees);

// Noncentral t (the t statistic where the true mean is `shift` standard errors away from 0), to
// about 1e-9. Requires degrees >= 1.
double noncentral_t_cdf(double t, double degrees, double shift);

}  // namespace rr
