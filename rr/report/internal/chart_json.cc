#include "rr/report/internal/chart_json.h"

#include <fmt/core.h>

#include <cmath>

#include "rr/base/check.h"
#include "rr/report/internal/number.h"

namespace rr::internal {
namespace {

Json number(double value) {
  const double short_value = rounded(value);
  return std::isnan(short_value) ? Json(nullptr) : Json(short_value);
}

Json axis_to_json(const Axis& axis) {
  RR_CHECK(!axis.title.empty(), "an axis needs a title");
  Json json = {
      {"title", axis.unit.empty() ? axis.title : fmt::format("{} ({})", axis.title, axis.unit)}};
  if (axis.min) json["min"] = number(*axis.min);
  if (axis.max) json["max"] = number(*axis.max);
  if (axis.is_logarithmic) json["log"] = true;
  return json;
}

Json to_json(const LineSeries& series) {
  Json x = Json::array();
  Json y = Json::array();
  for (const XY& point : series.points) {
    x.push_back(number(point.x));
    y.push_back(number(point.y));
  }
  return {{"name", series.name}, {"x", std::move(x)}, {"y", std::move(y)}};
}

Json to_json(const BarSeries& series, std::size_t num_categories) {
  RR_CHECK(series.values.size() == num_categories, "a bar for each category");
  RR_CHECK(series.whiskers.empty() || series.whiskers.size() == num_categories,
           "whiskers for each bar or for none");
  Json json = {{"name", series.name}, {"y", Json::array()}};
  for (const double value : series.values) json["y"].push_back(number(value));
  for (const Whisker& whisker : series.whiskers) {
    json["low"].push_back(number(whisker.low));
    json["high"].push_back(number(whisker.high));
  }
  return json;
}

Json to_json(const ScatterSeries& series) {
  Json json = {
      {"name", series.name}, {"x", Json::array()}, {"y", Json::array()}, {"label", Json::array()}};
  for (const ScatterPoint& point : series.points) {
    json["x"].push_back(number(point.x));
    json["y"].push_back(number(point.y));
    json["label"].push_back(point.label);
  }
  return json;
}

void add_plot(const Lines& lines, Json& json) {
  json["kind"] = "lines";
  json["series"] = Json::array();
  for (const LineSeries& series : lines.series) json["series"].push_back(to_json(series));
}

void add_plot(const Bars& bars, Json& json) {
  RR_CHECK(!bars.colour_by_sign || bars.series.size() == 1, "colours by sign need one series");
  json["kind"] = "bars";
  json["categories"] = bars.categories;
  if (bars.is_horizontal) json["horizontal"] = true;
  if (bars.colour_by_sign) json["bySign"] = true;
  json["series"] = Json::array();
  for (const BarSeries& series : bars.series) {
    json["series"].push_back(to_json(series, bars.categories.size()));
  }
}

void add_plot(const Scatter& scatter, Json& json) {
  json["kind"] = "scatter";
  if (scatter.has_diagonal) json["diagonal"] = true;
  json["series"] = Json::array();
  for (const ScatterSeries& series : scatter.series) json["series"].push_back(to_json(series));
}

void add_plot(const Histogram& histogram, Json& json) {
  RR_CHECK(histogram.edges.size() >= 2, "a histogram has bins");
  json["kind"] = "bars";
  json["joined"] = true;
  json["categories"] = bin_names(histogram.edges);
  json["series"] = Json::array();
  for (const HistogramSeries& series : histogram.series) {
    RR_CHECK(series.counts.size() + 1 == histogram.edges.size(), "a count for each bin");
    json["series"].push_back({{"name", series.name}, {"y", series.counts}});
  }
}

}  // namespace

Json chart_to_json(const Chart& chart) {
  Json json = {{"x", axis_to_json(chart.x)}, {"y", axis_to_json(chart.y)}};
  std::visit([&json](const auto& plot) { add_plot(plot, json); }, chart.plot);
  return json;
}

}  // namespace rr::internal
