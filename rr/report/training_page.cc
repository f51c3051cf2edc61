#include "rr/report/training_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/wording.h"
#include "rr/report/internal/number.h"
#include "rr/report/internal/stretches.h"
#include "rr/report/internal/training_metrics.h"

namespace rr {
namespace {

using internal::format_number;
using internal::MetricGroup;
using internal::MetricSection;
using internal::Summary;
using internal::TrainingMetric;

using Logs = std::vector<TrainingLog>;

std::string last_part(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().filename().string();
}

// The last part of a run's folder, or all of it where that does not tell it from the others.
std::string short_name(const Logs& runs, std::size_t run) {
  const std::string name = last_part(runs[run].name);
  const auto same = std::count_if(runs.begin(), runs.end(), [&name](const TrainingLog& other) {
    return last_part(other.name) == name;
  });
  return name.empty() || same > 1 ? runs[run].name : name;
}

std::string text_of(const Json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  return value.is_number_float() ? format_number(value.get<double>()) : to_json_line(value);
}

std::string text_at(const Json& object, const char* key) {
  return object.is_object() ? text_of(object.value(key, Json())) : "";
}

std::string kind_of(const TrainingLog& run) { return text_at(run.run, "kind"); }

Json settings_of(const TrainingLog& run) {
  const Json settings = run.run.is_object() ? run.run.value("settings", Json()) : Json();
  return settings.is_object() ? settings : Json::object();
}

// The last step that a number was written for.
std::size_t last_step(const TrainingLog& run) {
  double last = 0;
  for (const LineSeries& series : run.metrics) last = std::max(last, series.points.back().x);
  return static_cast<std::size_t>(last);
}

// The points that are numbers.
std::vector<XY> finite_points(const LineSeries& series) {
  std::vector<XY> points;
  std::copy_if(series.points.begin(), series.points.end(), std::back_inserter(points),
               [](const XY& point) { return std::isfinite(point.y); });
  return points;
}

bool lower(const XY& a, const XY& b) { return a.y < b.y; }

std::optional<double> sum_of(const TrainingLog& run, const char* key) {
  const LineSeries* const series = run.find(key);
  if (series == nullptr) return std::nullopt;
  double sum = 0;
  for (const XY& point : finite_points(*series)) sum += point.y;
  return sum;
}

std::string at_step(const XY& point) {
  return fmt::format("{} (step {:.0f})", format_number(point.y), point.x);
}

std::string last_value(const TrainingLog& run, const char* key) {
  const LineSeries* const series = run.find(key);
  const std::vector<XY> points = series == nullptr ? std::vector<XY>() : finite_points(*series);
  return points.empty() ? "" : format_number(points.back().y);
}

std::string lowest_value(const TrainingLog& run, const char* key) {
  const LineSeries* const series = run.find(key);
  const std::vector<XY> points = series == nullptr ? std::vector<XY>() : finite_points(*series);
  return points.empty() ? "" : at_step(*std::min_element(points.begin(), points.end(), lower));
}

std::string duration(double seconds) {
  const auto whole = static_cast<std::size_t>(std::max(0.0, std::round(seconds)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

// One row of the table of runs: what it shows of each.
struct RunFact {
  const char* name;
  std::string (*value)(const TrainingLog& run);
};

constexpr RunFact kRunFacts[] = {
    {"folder", [](const TrainingLog& run) { return run.name; }},
    {"program", [](const TrainingLog& run) { return text_at(run.run, "program"); }},
    {"kind", kind_of},
    {"model", [](const TrainingLog& run) { return last_part(text_at(settings_of(run), "model")); }},
    {"steps done", [](const TrainingLog& run) { return std::to_string(last_step(run)); }},
    {"time in steps",
     [](const TrainingLog& run) {
       const auto seconds = sum_of(run, "seconds");
       return seconds ? duration(*seconds) : "";
     }},
    {"tokens read",
     [](const TrainingLog& run) {
       const auto tokens = sum_of(run, "tokens");
       return tokens ? fmt::format("{:.0f}", *tokens) : "";
     }},
    {"last loss", [](const TrainingLog& run) { return last_value(run, "loss"); }},
    {"least held-out loss",
     [](const TrainingLog& run) { return lowest_value(run, "validation_loss"); }},
    {"last reward", [](const TrainingLog& run) { return last_value(run, "reward"); }},
    {"last held-out nDCG@10",
     [](const TrainingLog& run) { return last_value(run, "validation_ndcg"); }}};

Row names_row(const Logs& runs, const char* first) {
  Row header = {first};
  for (std::size_t i = 0; i < runs.size(); ++i) header.emplace_back(short_name(runs, i));
  return header;
}

bool is_blank(const Row& row) {
  return std::all_of(row.begin() + 1, row.end(),
                     [](const Cell& cell) { return cell.text.empty(); });
}

Table facts_table(const Logs& runs) {
  Table table;
  table.header = names_row(runs, "");
  table.text_columns = table.header.size();
  for (const RunFact& fact : kRunFacts) {
    Row row = {fact.name};
    for (const TrainingLog& run : runs) row.emplace_back(fact.value(run));
    if (!is_blank(row)) table.rows.push_back(std::move(row));
  }
  return table;
}

std::vector<std::string> setting_names(const Logs& runs) {
  std::vector<std::string> names;
  for (const TrainingLog& run : runs) {
    const Json settings = settings_of(run);
    for (const auto& [key, value] : settings.items()) {
      if (std::find(names.begin(), names.end(), key) == names.end()) names.push_back(key);
    }
  }
  return names;
}

// What differs between runs is bold.
Table settings_table(const Logs& runs) {
  Table table;
  table.header = names_row(runs, "setting");
  table.text_columns = table.header.size();
  for (const std::string& name : setting_names(runs)) {
    Row row = {name};
    for (const TrainingLog& run : runs) row.emplace_back(text_at(settings_of(run), name.c_str()));
    const bool differs = std::any_of(row.begin() + 1, row.end(),
                                     [&row](const Cell& cell) { return cell.text != row[1].text; });
    for (std::size_t i = 1; i < row.size(); ++i) row[i].is_best = differs;
    table.rows.push_back(std::move(row));
  }
  return table;
}

Section runs_section(const Logs& runs) {
  Section section{runs.size() == 1 ? "Run" : "Runs", {facts_table(runs)}};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].is_cut) {
      section.blocks.emplace_back(
          Text{fmt::format("{}: a file's last line is not whole and is left out; the run is being "
                           "written, or was killed.",
                           short_name(runs, i)),
               Text::Kind::kNote});
    }
    if (runs[i].metrics.empty()) {
      section.blocks.emplace_back(
          Text{fmt::format("{}: no step is done yet.", short_name(runs, i))});
    }
  }
  Table settings = settings_table(runs);
  if (settings.rows.empty()) return section;
  const bool is_alone = runs.size() == 1;
  section.blocks.emplace_back(Group{is_alone ? "Settings" : "Settings; those that differ are bold",
                                    {std::move(settings)},
                                    false});
  return section;
}

// A line of a chart, before its points are summarised.
struct Curve {
  std::string name;
  const LineSeries* series;
  const TrainingMetric* metric;
};

const LineSeries* find_numbers(const TrainingLog& run, const TrainingMetric& metric) {
  if (!metric.kind.empty() && metric.kind != kind_of(run)) return nullptr;
  const LineSeries* const series = run.find(metric.key);
  return series == nullptr || finite_points(*series).empty() ? nullptr : series;
}

// "... the mean of 12 steps."; empty where every point is drawn.
std::string about_summary(const Curve& curve, std::size_t width) {
  if (width == 1 || curve.series->points.size() <= internal::kMostPoints) return "";
  return fmt::format("Of more than {} points, each that is drawn is the {} of {} steps.",
                     internal::kMostPoints,
                     curve.metric->summary == Summary::kMean ? "mean" : "highest", width);
}

void add_sentence(const std::string& sentence, std::string& text) {
  if (text.find(sentence) != std::string::npos) return;
  text += (text.empty() ? "" : " ") + sentence;
}

Chart chart_of(const std::string& title, const std::vector<Curve>& curves) {
  std::vector<const LineSeries*> series;
  for (const Curve& curve : curves) series.push_back(curve.series);
  const std::size_t width = internal::stretch_width(series);
  const TrainingMetric& metric = *curves.front().metric;
  Lines lines;
  std::string description;
  for (const Curve& curve : curves) {
    lines.series.push_back(
        {curve.name, internal::summarised(curve.series->points, width, curve.metric->summary)});
    add_sentence(curve.metric->about, description);
    add_sentence(about_summary(curve, width), description);
  }
  Axis y = {.title = metric.axis, .unit = metric.unit};
  if (metric.is_share) {
    y.min = 0;
    y.max = 1;
  }
  return {title, std::move(description), {.title = "step"}, std::move(y), std::move(lines)};
}

// "held-out loss" as a heading.
std::string capitalised(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text;
}

// Of one run, what belongs together shares a chart.
void add_charts(const TrainingLog& run, const MetricGroup& group, Section& section) {
  std::vector<Curve> curves;
  for (const TrainingMetric& metric : group.metrics) {
    const LineSeries* const series = find_numbers(run, metric);
    if (series != nullptr) curves.push_back({metric.name, series, &metric});
  }
  if (!curves.empty()) section.blocks.emplace_back(chart_of(group.title, curves));
}

// Of several, the runs do.
void add_charts(const Logs& runs, const MetricGroup& group, Section& section) {
  for (const TrainingMetric& metric : group.metrics) {
    std::vector<Curve> curves;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const LineSeries* const series = find_numbers(runs[i], metric);
      if (series != nullptr) curves.push_back({short_name(runs, i), series, &metric});
    }
    if (!curves.empty()) section.blocks.emplace_back(chart_of(capitalised(metric.name), curves));
  }
}

// The keys that the program does not write itself.
MetricSection other_metrics(const Logs& runs) {
  std::set<std::string> known;
  for (const MetricSection& section : internal::known_training_metrics()) {
    for (const MetricGroup& group : section.groups) {
      for (const TrainingMetric& metric : group.metrics) known.insert(metric.key);
    }
  }
  MetricSection others{"Other numbers", {}};
  for (const TrainingLog& run : runs) {
    for (const LineSeries& series : run.metrics) {
      if (!known.insert(series.name).second) continue;
      others.groups.push_back({series.name, {internal::unknown_metric(series.name)}});
    }
  }
  return others;
}

void add_section(const Logs& runs, const MetricSection& metrics, Page& page) {
  Section section{metrics.title, {}};
  for (const MetricGroup& group : metrics.groups) {
    if (runs.size() == 1) {
      add_charts(runs.front(), group, section);
    } else {
      add_charts(runs, group, section);
    }
  }
  if (!section.blocks.empty()) page.sections.push_back(std::move(section));
}

Table numbers_table(const TrainingLog& run) {
  Table table;
  table.header = {"number", "steps", "first", "last", "lowest", "highest"};
  for (const LineSeries& series : run.metrics) {
    const std::vector<XY> points = finite_points(series);
    if (points.empty()) continue;
    const auto [least, most] = std::minmax_element(points.begin(), points.end(), lower);
    table.rows.push_back({series.name, std::to_string(points.size()), at_step(points.front()),
                          at_step(points.back()), at_step(*least), at_step(*most)});
  }
  return table;
}

Section numbers_section(const Logs& runs) {
  Section section{"Numbers", {}};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Table table = numbers_table(runs[i]);
    if (table.rows.empty()) continue;
    if (runs.size() > 1) table.title = short_name(runs, i);
    section.blocks.emplace_back(std::move(table));
  }
  section.blocks.emplace_back(
      Text{"Of every step, by the keys of metrics.jsonl; charts of long runs summarise.",
           Text::Kind::kNote});
  return section;
}

Table scores_table(const SampleReply& sample) {
  Table table;
  table.text_columns = 0;
  table.rows.emplace_back();
  for (const auto& [name, value] : sample.scores) {
    table.header.emplace_back(name);
    table.rows.front().emplace_back(format_number(value));
  }
  return table;
}

Group sample_group(const SampleReply& sample) {
  std::string title = fmt::format("Step {}", sample.step);
  if (!sample.qid.empty()) title += fmt::format(", topic {}", sample.qid);
  for (const auto& [name, value] : sample.scores) {
    if (name == "reward") title += fmt::format(", reward {}", format_number(value));
  }
  Group group{std::move(title), {}, false};
  if (!sample.scores.empty()) group.blocks.emplace_back(scores_table(sample));
  if (!sample.query.empty()) group.blocks.emplace_back(Text{"Query: " + sample.query});
  group.blocks.emplace_back(
      Text{sample.reply.empty() ? "(an empty reply)" : sample.reply, Text::Kind::kVerbatim});
  return group;
}

void add_samples(const Logs& runs, Page& page) {
  Section section{"Sample replies", {}};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].samples.empty()) continue;
    if (runs.size() > 1) section.blocks.emplace_back(Text{short_name(runs, i) + ":"});
    for (const SampleReply& sample : runs[i].samples) {
      section.blocks.emplace_back(sample_group(sample));
    }
  }
  if (section.blocks.empty()) return;
  section.blocks.emplace_back(
      Text{fmt::format("Of at most {} steps spread over the run, the first {} of samples.jsonl.",
                       kSampleSteps, kSamplesOfStep),
           Text::Kind::kNote});
  page.sections.push_back(std::move(section));
}

}  // namespace

Page training_page(const std::vector<TrainingLog>& runs) {
  RR_CHECK(!runs.empty(), "a page of training has a run");
  Page page;
  if (runs.size() == 1) {
    page.title = "Training: " + short_name(runs, 0);
    page.subtitle = counted(last_step(runs.front()), "step") + " done";
  } else {
    page.title = fmt::format("Training: {} runs", runs.size());
  }
  page.sections.push_back(runs_section(runs));
  for (const MetricSection& section : internal::known_training_metrics()) {
    add_section(runs, section, page);
  }
  add_section(runs, other_metrics(runs), page);
  page.sections.push_back(numbers_section(runs));
  add_samples(runs, page);
  return page;
}

}  // namespace rr
