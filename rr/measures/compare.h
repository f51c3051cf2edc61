#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "rr/measures/bootstrap.h"
#include "rr/measures/evaluate.h"
#include "rr/measures/significance.h"

namespace rr {

enum class TestKind { kPairedT, kRandomisation, kWilcoxon };
enum class Correction { kHolm, kBonferroni, kNone };

struct CompareOptions {
  TestKind test = TestKind::kPairedT;
  Correction correction = Correction::kHolm;
  double alpha = 0.05;            // level of significance, in (0, 0.5)
  double power = 0.8;             // of the smallest detectable difference, in (alpha, 1)
  double confidence = 0.95;       // of intervals, in (0, 1)
  std::size_t resamples = 9'999;  // of intervals, at least 1
  std::size_t samples = 100'000;  // of a sampled randomisation test, at least 1
  std::uint64_t seed = 0;
};

// One run under one measure.
struct ComparedRun {
  double mean = 0;
  Interval interval;                // of the mean
  std::vector<std::size_t> beaten;  // runs whose mean is significantly lower, ascending
  std::vector<double> values;       // of each topic, as in Comparison::qids
};

// Two runs under one measure: `other` against `base`, by index; base < other.
struct ComparedPair {
  std::size_t base = 0;
  std::size_t other = 0;
  double difference = 0;  // mean of other - base over topics
  Interval interval;      // of the difference
  std::size_t wins = 0;   // topics on which `other` is better
  std::size_t ties = 0;   // equal up to 1e-10: what rounding leaves
  std::size_t losses = 0;
  PairedTest test;
  double adjusted_p = 1;  // test.p_value after the correction over all pairs of this measure
  double effect_size = 0;
  // At the level alpha, divided by the number of pairs where there is a correction: the level that
  // Holm's and Bonferroni's smallest p-value is held to. nullopt below two topics.
  std::optional<double> detectable;
};

struct MeasureComparison {
  std::vector<ComparedRun> runs;
  std::vector<ComparedPair> pairs;  // (0,1), (0,2), ..., (1,2), ...
};

struct Comparison {
  std::size_t num_topics = 0;               // those that every run has
  std::vector<Qid> qids;                    // of these topics, ascending
  std::vector<std::size_t> left_out;        // for each run its topics that some other lacks
  std::vector<MeasureComparison> measures;  // as in the evaluations
};

// Compares runs, evaluated with the same measures and qrels, on the topics that all of them have:
// means here may differ from those of an evaluation over more topics. The first run is the base
// line. All pairs are tested and corrected together, within each measure. Pure: the same
// arguments, the same values. Requires at least one evaluation.
Comparison compare_runs(std::span<const Evaluation> evaluations, std::size_t num_measures,
                        const CompareOptions& options);

}  // namespace rr
