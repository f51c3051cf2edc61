#include <gtest/gtest.h>

#include "rr/measures/internal/distributions.h"

// Expected values are those of scipy 1.17.1: stats.norm, stats.t, stats.nct.

namespace rr {
namespace {

void expect_close(double value, double expected, double relative = 1e-11) {
  EXPECT_NEAR(value / expected, 1, relative);
}

TEST(Normal, CdfAndQuantileAreScipys) {
  expect_close(normal_cdf(-8), 6.22096057427174e-16);
  expect_close(normal_cdf(-1.5), 0.06680720126885807);
  EXPECT_EQ(normal_cdf(0), 0.5);
  expect_close(normal_cdf(3), 0.9986501019683699);
  expect_close(normal_quantile(1e-12), -7.034483825301131);
  expect_close(normal_quantile(0.025), -1.9599639845400545);
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-15);
  expect_close(normal_quantile(0.9999), 3.719016485455709);
}

TEST(StudentT, TwoSidedProbabilitiesAreScipys) {
  EXPECT_EQ(student_t_two_sided(0, 3), 1);
  expect_close(student_t_two_sided(0.1, 1), 0.936548965138893);
  expect_close(student_t_two_sided(12.7, 1), 0.050024327689344165);
  expect_close(student_t_two_sided(-2, 2), 0.18350341907227397);
  expect_close(student_t_two_sided(2.5, 9), 0.033861827682985735);
  expect_close(student_t_two_sided(6, 42), 3.971998802908173e-07);
  expect_close(student_t_two_sided(30, 99), 1.7008499117282118e-51);
  expect_close(student_t_two_sided(3, 10000), 0.002706448189997666);
}

TEST(StudentT, CriticalValuesAreScipys) {
  expect_close(student_t_critical(0.05, 1), 12.706204736174705);
  expect_close(student_t_critical(0.05, 9), 2.2621571627982053);
  expect_close(student_t_critical(0.001, 42), 3.5377454453274293);
  expect_close(student_t_critical(0.5, 3), 0.7648923284043444);
  expect_close(student_t_critical(0.05, 1000), 1.9623390808264085);
}

TEST(NoncentralT, CdfIsScipys) {
  EXPECT_NEAR(noncentral_t_cdf(2, 1, 1), 0.6228719644602817, 1e-8);
  EXPECT_NEAR(noncentral_t_cdf(12.7, 1, 30), 0.018526905621725993, 1e-8);
  EXPECT_NEAR(noncentral_t_cdf(2.26, 9, 2.8), 0.2960284418111903, 1e-8);
  EXPECT_NEAR(noncentral_t_cdf(-2.26, 9, 2.8), 3.3041886429744857e-06, 1e-8);
  EXPECT_NEAR(noncentral_t_cdf(2, 42, 3.1), 0.13864630784934967, 1e-8);
  EXPECT_NEAR(noncentral_t_cdf(1.96, 5000, 2.8), 0.20047194236570054, 1e-8);
  EXPECT_NEAR(noncentral_t_cdf(0.5, 3, 0), 0.6742760175759245, 1e-8);
}

}  // namespace
}  // namespace rr
