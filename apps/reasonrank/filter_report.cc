#include "apps/reasonrank/filter_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "rr/base/wording.h"

namespace rr {
namespace {

constexpr std::size_t kShown = 5;  // samples of each side

std::string percent(std::size_t part, std::size_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

// The data sets, and all together where there are several.
std::vector<ConsistencyCounts> lines_of(const ConsistencyReport& report) {
  std::vector<ConsistencyCounts> lines = report.datasets;
  if (lines.size() > 1) lines.push_back(report.all);
  return lines;
}

Table table_of_counts(const ConsistencyReport& report) {
  Table table;
  table.title = fmt::format("Kept at nDCG@10 of at least {:g}", report.threshold);
  table.header = {"data set", "samples",   "not ranked",   "kept",
                  "dropped",  "of ranked", "mean nDCG@10", "first choice negative"};
  for (const ConsistencyCounts& counts : lines_of(report)) {
    table.rows.push_back({counts.dataset, std::to_string(counts.samples),
                          std::to_string(counts.unranked), std::to_string(counts.kept),
                          std::to_string(counts.dropped()), percent(counts.kept, counts.ranked()),
                          fmt::format("{:.3f}", counts.mean),
                          percent(counts.first_is_negative, counts.ranked())});
  }
  return table;
}

Table table_of_thresholds(const ConsistencyReport& report) {
  Table table;
  table.title = "What each threshold would keep";
  table.header = {"kept at"};
  for (const double threshold : ConsistencyCounts::kGrid) {
    table.header.emplace_back(fmt::format("{:.1f}", threshold));
  }
  for (const ConsistencyCounts& counts : lines_of(report)) {
    Row row = {counts.dataset};
    for (const std::size_t kept : counts.kept_at) row.emplace_back(std::to_string(kept));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table table_of_histogram(const ConsistencyReport& report) {
  Table table;
  table.title = "Samples by nDCG@10";
  table.header = {"nDCG@10 from"};
  for (std::size_t bin = 0; bin < ConsistencyCounts::kBins; ++bin) {
    table.header.emplace_back(fmt::format("0.{}", bin));
  }
  for (const ConsistencyCounts& counts : lines_of(report)) {
    Row row = {counts.dataset};
    for (const std::size_t count : counts.histogram) row.emplace_back(std::to_string(count));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Chart histogram_of(const ConsistencyReport& report) {
  Histogram histogram{equal_bins(0, 1, ConsistencyCounts::kBins), {}};
  for (const ConsistencyCounts& counts : report.datasets) {
    histogram.series.push_back(
        {counts.dataset, {counts.histogram.begin(), counts.histogram.end()}});
  }
  return {"Agreement of order and labels",
          fmt::format("How many ranked samples have which nDCG@10 of the teacher's order against "
                      "its own labels; those below {:g} are dropped.",
                      report.threshold),
          {.title = "nDCG@10", .min = 0, .max = 1},
          {.title = "samples", .min = 0},
          std::move(histogram)};
}

Chart chart_of_thresholds(const ConsistencyReport& report) {
  Lines lines;
  for (const ConsistencyCounts& counts : lines_of(report)) {
    LineSeries series{counts.dataset, {}};
    for (std::size_t i = 0; i < ConsistencyCounts::kGrid.size() && counts.ranked() > 0; ++i) {
      series.points.push_back(
          {ConsistencyCounts::kGrid[i],
           100.0 * static_cast<double>(counts.kept_at[i]) / static_cast<double>(counts.ranked())});
    }
    lines.series.push_back(std::move(series));
  }
  return {"What each threshold would keep",
          "Share of the ranked samples whose nDCG@10 reaches the threshold.",
          {.title = "threshold"},
          {.title = "kept", .unit = "%", .min = 0, .max = 100},
          std::move(lines)};
}

Group group_of(const Sample& sample, double ndcg) {
  Group group{
      fmt::format("{} / {}: nDCG@10 {:.3f}", sample.dataset, sample.qid.str(), ndcg), {}, false};
  if (!sample.query.empty()) group.blocks.push_back(Text{sample.query, Text::Kind::kVerbatim});
  std::string order = "Order (positives in brackets):";
  for (const Docid& docid : sample.final_list) {
    const auto& relevant = sample.relevant;
    const bool is_positive = std::find(relevant.begin(), relevant.end(), docid) != relevant.end();
    order += fmt::format(fmt::runtime(is_positive ? " [{}]" : " {}"), docid.str());
  }
  group.blocks.push_back(Text{order});
  if (!sample.reasoning.empty()) {
    group.blocks.push_back(Text{sample.reasoning, Text::Kind::kVerbatim});
  }
  return group;
}

Section section_of_samples(const std::string& title, std::span<const Sample> samples,
                           double threshold, bool kept) {
  std::vector<std::pair<double, const Sample*>> side;
  for (const Sample& sample : samples) {
    if (sample.final_list.empty()) continue;
    const double ndcg = consistency_of(sample);
    if ((ndcg >= threshold) == kept) side.emplace_back(ndcg, &sample);
  }
  std::stable_sort(side.begin(), side.end(), [&](const auto& a, const auto& b) {
    return std::abs(a.first - threshold) < std::abs(b.first - threshold);
  });
  Section section{title, {}};
  section.blocks.push_back(Text{fmt::format("{}, nearest to the threshold first.",
                                            counted(std::min(side.size(), kShown), "sample")),
                                Text::Kind::kNote});
  for (std::size_t i = 0; i < std::min(side.size(), kShown); ++i) {
    section.blocks.push_back(group_of(*side[i].second, side[i].first));
  }
  return section;
}

}  // namespace

std::vector<Table> tables_of(const ConsistencyReport& report) {
  return {table_of_counts(report), table_of_thresholds(report), table_of_histogram(report)};
}

Page filter_page(const ConsistencyReport& report, std::span<const Sample> samples,
                 const std::string& source) {
  Page page{"Self-consistency of samples", source, {}};
  page.sections.push_back(
      {"Kept and dropped",
       {table_of_counts(report),
        Text{"nDCG@10 of the teacher's order, made without the answer, with its "
             "pointwise labels, made with it, as truth. Samples without an order "
             "are dropped.",
             Text::Kind::kNote}}});
  page.sections.push_back({"Scores", {histogram_of(report)}});
  page.sections.push_back({"Thresholds", {chart_of_thresholds(report)}});
  page.sections.push_back(section_of_samples("Dropped", samples, report.threshold, false));
  page.sections.push_back(section_of_samples("Kept", samples, report.threshold, true));
  return page;
}

}  // namespace rr
