#!/usr/bin/env python3
"""Prints what scipy says of the differences in rr/measures/internal/difference_samples.h.

The numbers stand as constants in rr/measures/significance_test.cc and bootstrap_test.cc.
Needs: pip install numpy scipy
"""

import re
from pathlib import Path

import numpy as np
from scipy import optimize, stats

HEADER = Path(__file__).parents[2] / "rr/measures/internal/difference_samples.h"


def read_samples():
    text = HEADER.read_text()
    for name, numbers in re.findall(r"std::vector<double> (\w+) = \{(.*?)\};", text, re.S):
        yield name, np.array([float(number) for number in numbers.split(",")])


def randomisation(differences):
    n = len(differences)
    return stats.permutation_test(
        (differences,), lambda x, axis: np.mean(x, axis=axis), permutation_type="samples",
        n_resamples=2**n if n <= 20 else 400_000, batch=20_000, vectorized=True, rng=1).pvalue


def smallest_detectable(differences, alpha, power):
    n = len(differences)
    deviation = differences.std(ddof=1)
    critical = stats.t.ppf(1 - alpha / 2, n - 1)

    def missing(difference):
        shift = difference * np.sqrt(n) / deviation
        lower_tail = np.nan_to_num(stats.nct.cdf(-critical, n - 1, shift))  # scipy gives NaN at 0
        return stats.nct.sf(critical, n - 1, shift) + lower_tail - power

    return optimize.brentq(missing, 1e-6, 2.5 * deviation, xtol=1e-14)


def interval(differences, resamples, seed):
    return stats.bootstrap((differences,), np.mean, n_resamples=resamples, batch=2_000,
                           method="BCa", rng=seed).confidence_interval


for name, differences in read_samples():
    t_test = stats.ttest_1samp(differences, 0)
    wilcoxon = stats.wilcoxon(np.round(differences, 10))
    spread = np.std([interval(differences, 9_999, seed) for seed in range(20)], axis=0)
    print(f"{name} ({len(differences)} topics)")
    print("  t test", t_test.statistic, t_test.pvalue)
    print("  Wilcoxon", wilcoxon.statistic, wilcoxon.pvalue)
    print("  randomisation", randomisation(differences))
    print("  effect size", differences.mean() / differences.std(ddof=1))
    print("  detectable", smallest_detectable(differences, 0.05, 0.8),
          smallest_detectable(differences, 0.01, 0.9))
    print("  BCa", *interval(differences, 300_000, 3), "spread of 9,999 resamples", *spread)
