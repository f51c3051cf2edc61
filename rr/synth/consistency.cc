#include "rr/synth/consistency.h"

#include <algorithm>

#include "rr/base/check.h"
#include "rr/measures/ndcg.h"

namespace rr {
namespace {

constexpr std::size_t kCutoff = 10;

void count(const Sample& sample, double threshold, ConsistencyCounts& counts) {
  ++counts.samples;
  if (sample.final_list.empty()) {
    ++counts.unranked;
    return;
  }
  const double ndcg = consistency_of(sample);
  const auto bin = static_cast<std::size_t>(ndcg * ConsistencyCounts::kBins);
  ++counts.histogram[std::min(bin, ConsistencyCounts::kBins - 1)];
  for (std::size_t i = 0; i < ConsistencyCounts::kGrid.size(); ++i) {
    if (ndcg >= ConsistencyCounts::kGrid[i]) ++counts.kept_at[i];
  }
  if (ndcg >= threshold) ++counts.kept;
  const auto& relevant = sample.relevant;
  const bool first_is_positive =
      std::find(relevant.begin(), relevant.end(), sample.final_list.front()) != relevant.end();
  if (!first_is_positive) ++counts.first_is_negative;
  counts.mean += ndcg;  // a sum until settle()
}

void settle(ConsistencyCounts& counts) {
  if (counts.ranked() > 0) counts.mean /= static_cast<double>(counts.ranked());
}

ConsistencyCounts& counts_of(const std::string& dataset, std::vector<ConsistencyCounts>& all) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const ConsistencyCounts& counts) {
    return counts.dataset == dataset;
  });
  if (found != all.end()) return *found;
  all.emplace_back().dataset = dataset;
  return all.back();
}

}  // namespace

double consistency_of(const Sample& sample) {
  RR_CHECK(!sample.final_list.empty(), "consistency needs a ranked sample");
  return ndcg_at(kCutoff, sample.final_list, labels_of(sample));
}

bool is_consistent(const Sample& sample, double threshold) {
  return !sample.final_list.empty() && consistency_of(sample) >= threshold;
}

ConsistencyReport report_consistency(std::span<const Sample> samples, double threshold) {
  ConsistencyReport report;
  report.threshold = threshold;
  report.all.dataset = "all";
  for (const Sample& sample : samples) {
    count(sample, threshold, counts_of(sample.dataset, report.datasets));
    count(sample, threshold, report.all);
  }
  for (ConsistencyCounts& counts : report.datasets) settle(counts);
  settle(report.all);
  return report;
}

}  // namespace rr
