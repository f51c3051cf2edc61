#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "rr/report/table.h"

namespace rr {

// A chart as data: what it shows, not how it is drawn. A page (page.h) draws it and puts the data
// behind it as a table. Numbers that are not finite are gaps.

struct Axis {
  std::string title;      // "nDCG@10"; never empty: an axis without a name says nothing
  std::string unit = {};  // "seconds", "tokens"; empty: a pure number
  std::optional<double> min = std::nullopt;
  std::optional<double> max = std::nullopt;
  bool is_logarithmic = false;  // values must be above 0
};

struct XY {
  double x = 0;
  double y = 0;
};

// Lines over one x axis: curves of training, precision over recall.
struct LineSeries {
  std::string name;
  std::vector<XY> points;  // by ascending x
};
struct Lines {
  std::vector<LineSeries> series;
};

// From low to high; drawn as a whisker.
struct Whisker {
  double low = 0;
  double high = 0;
};
struct BarSeries {
  std::string name;
  std::vector<double> values;     // one for each category
  std::vector<Whisker> whiskers;  // one for each category, or none at all
};
// Bars side by side for each category. The x axis is that of the categories, the y axis that of the
// values, also where the bars lie.
struct Bars {
  std::vector<std::string> categories;
  std::vector<BarSeries> series;
  bool is_horizontal = false;   // for few categories with long names
  bool colour_by_sign = false;  // bars above and below 0 differ; requires one series
};

struct ScatterPoint {
  double x = 0;
  double y = 0;
  std::string label;  // what the point is: a qid
};
struct ScatterSeries {
  std::string name;
  std::vector<ScatterPoint> points;
};
struct Scatter {
  std::vector<ScatterSeries> series;
  bool has_diagonal = false;  // the line x = y
};

// How many values lie in each bin [edges[i], edges[i + 1]); the last bin holds its upper edge too.
struct HistogramSeries {
  std::string name;
  std::vector<std::size_t> counts;  // one for each bin
};
struct Histogram {
  std::vector<double> edges;  // ascending, at least two
  std::vector<HistogramSeries> series;
};

struct Chart {
  std::string title;
  std::string description;  // what is drawn and how to read it; also for who cannot see it
  Axis x;
  Axis y;
  std::variant<Lines, Bars, Scatter, Histogram> plot;
};

// `num_bins` bins of equal width over [low, high]. Requires num_bins >= 1 and low < high.
std::vector<double> equal_bins(double low, double high, std::size_t num_bins);

// Counts values in the bins. Those outside all bins and NaN are not counted: choose edges that hold
// them. Requires ascending edges, at least two.
std::vector<std::size_t> count_in_bins(std::span<const double> values,
                                       std::span<const double> edges);

// The numbers of a chart, as a reader finds them behind it.
//   Lines      x and each series in a column of its own; where series lack an x, a blank cell
//   Bars       the category, then each series with its whiskers
//   Scatter    label, (series where there are several,) x, y
//   Histogram  bin, then the counts of each series
Table data_table(const Chart& chart);

}  // namespace rr
