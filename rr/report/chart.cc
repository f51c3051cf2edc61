#include "rr/report/chart.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

#include "rr/base/check.h"
#include "rr/report/internal/number.h"

namespace rr {
namespace {

using internal::format_number;

std::string with_unit(const Axis& axis) {
  return axis.unit.empty() ? axis.title : fmt::format("{} ({})", axis.title, axis.unit);
}

Table table_of(const Lines& lines, const Chart& chart) {
  Table table;
  table.text_columns = 0;
  table.header.emplace_back(with_unit(chart.x));
  std::map<double, std::vector<double>> values_at;
  const double gap = std::nan("");
  for (std::size_t i = 0; i < lines.series.size(); ++i) {
    table.header.emplace_back(lines.series[i].name);
    for (const XY& point : lines.series[i].points) {
      auto& values = values_at.try_emplace(point.x, lines.series.size(), gap).first->second;
      values[i] = point.y;
    }
  }
  for (const auto& [x, values] : values_at) {
    Row row = {format_number(x)};
    for (const double value : values) row.emplace_back(format_number(value));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table table_of(const Bars& bars, const Chart& chart) {
  Table table;
  table.header.emplace_back(with_unit(chart.x));
  for (const BarSeries& series : bars.series) {
    table.header.emplace_back(series.name);
    if (series.whiskers.empty()) continue;
    table.header.emplace_back("from");
    table.header.emplace_back("to");
  }
  for (std::size_t i = 0; i < bars.categories.size(); ++i) {
    Row row = {bars.categories[i]};
    for (const BarSeries& series : bars.series) {
      row.emplace_back(format_number(series.values[i]));
      if (series.whiskers.empty()) continue;
      row.emplace_back(format_number(series.whiskers[i].low));
      row.emplace_back(format_number(series.whiskers[i].high));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table table_of(const Scatter& scatter, const Chart& chart) {
  const bool names_series = scatter.series.size() > 1;
  Table table;
  table.header = {"point"};
  if (names_series) table.header.emplace_back("series");
  table.text_columns = table.header.size();
  table.header.emplace_back(with_unit(chart.x));
  table.header.emplace_back(with_unit(chart.y));
  for (const ScatterSeries& series : scatter.series) {
    for (const ScatterPoint& point : series.points) {
      Row row = {point.label};
      if (names_series) row.emplace_back(series.name);
      row.emplace_back(format_number(point.x));
      row.emplace_back(format_number(point.y));
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

Table table_of(const Histogram& histogram, const Chart& chart) {
  Table table;
  table.header.emplace_back(with_unit(chart.x));
  for (const HistogramSeries& series : histogram.series) table.header.emplace_back(series.name);
  const std::vector<std::string> bins = internal::bin_names(histogram.edges);
  for (std::size_t i = 0; i < bins.size(); ++i) {
    Row row = {bins[i]};
    for (const HistogramSeries& series : histogram.series) {
      row.emplace_back(std::to_string(series.counts[i]));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace

std::vector<double> equal_bins(double low, double high, std::size_t num_bins) {
  RR_CHECK(num_bins >= 1 && low < high, "bins need room");
  std::vector<double> edges;
  for (std::size_t i = 0; i <= num_bins; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(num_bins);
    edges.push_back(low + (high - low) * share);
  }
  edges.back() = high;
  return edges;
}

std::vector<std::size_t> count_in_bins(std::span<const double> values,
                                       std::span<const double> edges) {
  RR_CHECK(edges.size() >= 2 && std::is_sorted(edges.begin(), edges.end()), "edges must ascend");
  std::vector<std::size_t> counts(edges.size() - 1, 0);
  for (const double value : values) {
    if (!(value >= edges.front() && value <= edges.back())) continue;
    const auto above = std::upper_bound(edges.begin(), edges.end(), value);
    const auto bin = static_cast<std::size_t>(std::distance(edges.begin(), above)) - 1;
    ++counts[std::min(bin, counts.size() - 1)];
  }
  return counts;
}

Table data_table(const Chart& chart) {
  return std::visit([&chart](const auto& plot) { return table_of(plot, chart); }, chart.plot);
}

}  // namespace rr
