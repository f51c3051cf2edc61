#include "rr/measures/compare.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "rr/base/check.h"
#include "rr/measures/internal/moments.h"

namespace rr {
namespace {

constexpr double kRounding = 1e-10;

// values[measure][run][topic], over the topics that every evaluation has.
using Values = std::vector<std::vector<std::vector<double>>>;

std::unordered_map<Qid, std::size_t> runs_of_topics(std::span<const Evaluation> evaluations) {
  std::unordered_map<Qid, std::size_t> runs;
  for (const Evaluation& evaluation : evaluations) {
    for (const TopicValues& topic : evaluation.topics) ++runs[topic.qid];
  }
  return runs;
}

// Topics stand by qid in every evaluation, so the common ones come out in one order.
Values common_values(std::span<const Evaluation> evaluations, std::size_t num_measures,
                     Comparison& comparison) {
  const auto runs_of_topic = runs_of_topics(evaluations);
  Values values(num_measures, std::vector<std::vector<double>>(evaluations.size()));
  for (std::size_t run = 0; run < evaluations.size(); ++run) {
    std::size_t common = 0;
    for (const TopicValues& topic : evaluations[run].topics) {
      if (runs_of_topic.at(topic.qid) < evaluations.size()) continue;
      ++common;
      if (run == 0) comparison.qids.push_back(topic.qid);
      for (std::size_t m = 0; m < num_measures; ++m) values[m][run].push_back(topic.values[m]);
    }
    comparison.num_topics = common;
    comparison.left_out.push_back(evaluations[run].topics.size() - common);
  }
  return values;
}

std::vector<double> differences_of(const std::vector<double>& other,
                                   const std::vector<double>& base) {
  std::vector<double> differences;
  differences.reserve(base.size());
  for (std::size_t i = 0; i < base.size(); ++i) differences.push_back(other[i] - base[i]);
  return differences;
}

Interval interval_of(std::span<const double> values, const CompareOptions& options) {
  if (values.empty()) return {};
  return bootstrap_mean_interval(
      values,
      {.confidence = options.confidence, .resamples = options.resamples, .seed = options.seed});
}

PairedTest test_of(std::span<const double> differences, const CompareOptions& options) {
  switch (options.test) {
    case TestKind::kPairedT:
      return paired_t_test(differences);
    case TestKind::kRandomisation:
      return randomisation_test(differences, options.seed, options.samples);
    case TestKind::kWilcoxon:
      return wilcoxon_signed_rank(differences);
  }
  RR_CHECK(false, "every kind of test has a function");
}

ComparedPair compare_pair(std::span<const double> differences, double level,
                          const CompareOptions& options) {
  ComparedPair pair;
  pair.difference = mean_of(differences);
  pair.interval = interval_of(differences, options);
  for (const double difference : differences) {
    ++(std::abs(difference) < kRounding ? pair.ties : difference > 0 ? pair.wins : pair.losses);
  }
  pair.test = test_of(differences, options);
  pair.effect_size = effect_size(differences);
  pair.detectable = smallest_detectable_difference(differences, level, options.power);
  return pair;
}

void adjust(std::vector<ComparedPair>& pairs, Correction correction) {
  std::vector<double> p_values;
  for (const ComparedPair& pair : pairs) p_values.push_back(pair.test.p_value);
  if (correction == Correction::kHolm) p_values = holm(p_values);
  if (correction == Correction::kBonferroni) p_values = bonferroni(p_values);
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i].adjusted_p = p_values[i];
}

void note_beaten(const std::vector<ComparedPair>& pairs, double alpha,
                 std::vector<ComparedRun>& runs) {
  for (const ComparedPair& pair : pairs) {
    if (pair.adjusted_p > alpha || pair.difference == 0) continue;
    const bool other_wins = pair.difference > 0;
    runs[other_wins ? pair.other : pair.base].beaten.push_back(other_wins ? pair.base : pair.other);
  }
  for (ComparedRun& run : runs) std::sort(run.beaten.begin(), run.beaten.end());
}

MeasureComparison compare_measure(const std::vector<std::vector<double>>& values,
                                  const CompareOptions& options) {
  MeasureComparison comparison;
  for (const std::vector<double>& of_run : values) {
    comparison.runs.push_back({mean_of(of_run), interval_of(of_run, options), {}, of_run});
  }
  const std::size_t num_pairs = values.size() * (values.size() - 1) / 2;
  const bool is_corrected = options.correction != Correction::kNone && num_pairs > 0;
  const double level =
      is_corrected ? options.alpha / static_cast<double>(num_pairs) : options.alpha;
  for (std::size_t base = 0; base < values.size(); ++base) {
    for (std::size_t other = base + 1; other < values.size(); ++other) {
      ComparedPair pair = compare_pair(differences_of(values[other], values[base]), level, options);
      pair.base = base;
      pair.other = other;
      comparison.pairs.push_back(pair);
    }
  }
  adjust(comparison.pairs, options.correction);
  note_beaten(comparison.pairs, options.alpha, comparison.runs);
  return comparison;
}

}  // namespace

Comparison compare_runs(std::span<const Evaluation> evaluations, std::size_t num_measures,
                        const CompareOptions& options) {
  RR_CHECK(!evaluations.empty(), "a comparison needs runs");
  RR_CHECK(options.alpha > 0 && options.alpha < 0.5, "alpha lies between 0 and 0.5");
  Comparison comparison;
  const Values values = common_values(evaluations, num_measures, comparison);
  for (const auto& of_measure : values) {
    comparison.measures.push_back(compare_measure(of_measure, options));
  }
  return comparison;
}

}  // namespace rr
