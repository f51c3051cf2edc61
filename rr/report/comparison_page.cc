#include "rr/report/comparison_page.h"

#include <fmt/core.h>

#include <filesystem>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/wording.h"
#include "rr/report/comparison_tables.h"
#include "rr/report/internal/rank_bands.h"
#include "rr/report/internal/run_section.h"
#include "rr/report/internal/topic_changes.h"

namespace rr {
namespace {

using internal::short_name;

std::vector<std::string> names_of(const ComparisonReport& report) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < report.runs.size(); ++i) {
    names.push_back(internal::file_name(report, i));
  }
  return names;
}

std::vector<std::string> short_names_of(const ComparisonReport& report) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < report.runs.size(); ++i) names.push_back(short_name(report, i));
  return names;
}

Chart means_chart(const ComparisonReport& report, std::size_t m) {
  BarSeries means{"mean", {}, {}};
  for (const ComparedRun& run : report.comparison.measures[m].runs) {
    means.values.push_back(run.mean);
    means.whiskers.push_back({run.interval.low, run.interval.high});
  }
  return {
      fmt::format("Mean {}", report.measures[m]),
      fmt::format("Over {}, with {:g}% bootstrap intervals.",
                  counted(report.comparison.num_topics, "topic"), 100 * report.options.confidence),
      {.title = "run"},
      {.title = "mean " + report.measures[m], .min = 0},
      Bars{short_names_of(report), {std::move(means)}, /*is_horizontal=*/true}};
}

Chart differences_chart(const ComparisonReport& report, std::size_t m) {
  BarSeries differences{"difference", {}, {}};
  std::vector<std::string> names = short_names_of(report);
  names.erase(names.begin());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const ComparedPair& pair = report.comparison.measures[m].pairs[i];
    differences.values.push_back(pair.difference);
    differences.whiskers.push_back({pair.interval.low, pair.interval.high});
  }
  return {fmt::format("Difference to the base, {}", report.measures[m]),
          fmt::format("Mean over topics of the run minus {}, with {:g}% bootstrap intervals.",
                      short_name(report, 0), 100 * report.options.confidence),
          {.title = "run"},
          {.title = "difference of " + report.measures[m]},
          Bars{std::move(names),
               {std::move(differences)},
               /*is_horizontal=*/true,
               /*colour_by_sign=*/true}};
}

Section means_section(const ComparisonReport& report) {
  Section section{"Means", {}};
  for (std::size_t m = 0; m < report.measures.size(); ++m) {
    Table table = comparison_table(names_of(report), report.comparison.measures[m], report.options);
    table.title = report.measures[m];
    section.blocks.emplace_back(std::move(table));
    section.blocks.emplace_back(means_chart(report, m));
    section.blocks.emplace_back(differences_chart(report, m));
  }
  section.blocks.emplace_back(
      Text{explain_comparison(report.runs.size(), report.options), Text::Kind::kNote});
  return section;
}

Section significance_section(const ComparisonReport& report) {
  Section section{"Significance", {}};
  section.blocks.emplace_back(Text{fmt::format(
      "Row minus column, and p by a two-sided {} after {}. ▲ the row is significantly better at "
      "level {:g}, ▼ significantly worse.",
      name_of(report.options.test), name_of(report.options.correction), report.options.alpha)});
  for (std::size_t m = 0; m < report.measures.size(); ++m) {
    Table table =
        significance_table(names_of(report), report.comparison.measures[m], report.options);
    table.title = report.measures[m];
    section.blocks.emplace_back(std::move(table));
  }
  return section;
}

// The mean over the compared topics.
LineSeries precision_curve(const ComparisonReport& report, std::size_t run) {
  LineSeries series{short_name(report, run), {}};
  for (std::size_t i = 0; i < kRecallLevels; ++i) {
    double sum = 0;
    for (const Qid& qid : report.comparison.qids) {
      sum += internal::details_of_topic(report.runs[run].details, qid).precision[i];
    }
    series.points.push_back(
        {static_cast<double>(i) / 10, sum / static_cast<double>(report.comparison.qids.size())});
  }
  return series;
}

Section precision_section(const ComparisonReport& report) {
  Lines lines;
  for (std::size_t i = 0; i < report.runs.size(); ++i) {
    lines.series.push_back(precision_curve(report, i));
  }
  return {"Precision and recall",
          {Chart{"Precision over recall",
                 "Interpolated precision at eleven levels of recall, mean over topics "
                 "(trec_eval's iprec_at_recall).",
                 {.title = "recall", .min = 0, .max = 1},
                 {.title = "interpolated precision", .min = 0, .max = 1},
                 std::move(lines)}}};
}

std::vector<std::size_t> band_counts(const ComparisonReport& report, std::size_t run) {
  std::vector<std::size_t> counts(internal::kRankBands, 0);
  for (const Qid& qid : report.comparison.qids) {
    for (const RelevantDocument& document :
         internal::details_of_topic(report.runs[run].details, qid).relevant) {
      ++counts[internal::band_of(document.rank)];
    }
  }
  return counts;
}

// How many relevant documents each run has anywhere, and how many not.
Table found_table(const ComparisonReport& report,
                  const std::vector<std::vector<std::size_t>>& counts) {
  Table table;
  table.text_columns = 2;
  table.header = {"", "run", "found", "not found"};
  for (std::size_t i = 0; i < counts.size(); ++i) {
    std::size_t found = 0;
    for (std::size_t band = 0; band < internal::kNotFoundBand; ++band) found += counts[i][band];
    table.rows.push_back({letter_of(i), internal::file_name(report, i), std::to_string(found),
                          std::to_string(counts[i][internal::kNotFoundBand])});
  }
  return table;
}

// Bands that no run uses are left out.
Section ranks_section(const ComparisonReport& report) {
  std::vector<std::vector<std::size_t>> counts;
  Bars bars;
  for (std::size_t i = 0; i < report.runs.size(); ++i) {
    counts.push_back(band_counts(report, i));
    bars.series.push_back({short_name(report, i), {}, {}});
  }
  for (std::size_t band = 0; band < internal::kNotFoundBand; ++band) {
    bool is_used = false;
    for (const auto& of_run : counts) is_used = is_used || of_run[band] > 0;
    if (!is_used) continue;
    bars.categories.push_back(internal::band_name(band));
    for (std::size_t i = 0; i < counts.size(); ++i) {
      bars.series[i].values.push_back(static_cast<double>(counts[i][band]));
    }
  }
  Section section{"Where relevant documents stand", {}};
  section.blocks.emplace_back(
      Chart{"Relevant documents by rank",
            "How many relevant documents each run has at these ranks, over all topics.",
            {.title = "rank"},
            {.title = "relevant documents", .min = 0},
            std::move(bars)});
  section.blocks.emplace_back(found_table(report, counts));
  return section;
}

std::size_t tokens_of(const RunCost& cost) { return cost.prompt_tokens + cost.completion_tokens; }

// A recording of another system may lack tokens and seconds.
Row cost_row(const std::string& letter, const std::string& name, const RunCost& cost) {
  const auto per_topic = [&cost](double sum) {
    return sum == 0 ? "–" : fmt::format("{:.1f}", sum / static_cast<double>(cost.topics));
  };
  return {letter,
          name,
          std::to_string(cost.topics),
          per_topic(static_cast<double>(cost.windows)),
          per_topic(static_cast<double>(cost.prompt_tokens)),
          per_topic(static_cast<double>(cost.completion_tokens)),
          per_topic(cost.seconds),
          tokens_of(cost) == 0 ? "–" : std::to_string(tokens_of(cost))};
}

// Of the runs whose tokens are known.
Chart cost_chart(const ComparisonReport& report) {
  Scatter scatter;
  for (std::size_t i = 0; i < report.runs.size(); ++i) {
    const std::optional<RunCost>& cost = report.runs[i].cost;
    if (!cost || tokens_of(*cost) == 0) continue;
    const auto tokens = static_cast<double>(tokens_of(*cost));
    const std::string name = short_name(report, i);
    scatter.series.push_back({name,
                              {{tokens / static_cast<double>(cost->topics),
                                report.comparison.measures.front().runs[i].mean, name}}});
  }
  return {"What quality costs",
          "Up is better, left is cheaper.",
          {.title = "prompt and generated tokens a topic", .unit = "tokens", .min = 0},
          {.title = "mean " + report.measures.front()},
          std::move(scatter)};
}

// nullopt where no cost is known.
std::optional<Section> cost_section(const ComparisonReport& report) {
  Table table;
  table.text_columns = 2;
  table.header = {"",
                  "run",
                  "topics",
                  "windows / topic",
                  "prompt tokens / topic",
                  "generated tokens / topic",
                  "seconds / topic",
                  "tokens in all"};
  std::size_t with_tokens = 0;
  for (std::size_t i = 0; i < report.runs.size(); ++i) {
    const std::optional<RunCost>& cost = report.runs[i].cost;
    if (!cost) continue;
    with_tokens += tokens_of(*cost) > 0 ? 1 : 0;
    table.rows.push_back(cost_row(letter_of(i), internal::file_name(report, i), *cost));
  }
  if (table.rows.empty()) return std::nullopt;
  Section section{"Costs, from the traces", {}};
  section.blocks.emplace_back(std::move(table));
  section.blocks.emplace_back(
      Text{"Seconds count from a topic's start to its last answer, other topics running beside it.",
           Text::Kind::kNote});
  if (with_tokens > 1) section.blocks.emplace_back(cost_chart(report));
  return section;
}

Section files_section(const ComparisonReport& report) {
  Table table;
  table.text_columns = 2;
  table.header = {"", "file"};
  table.rows.push_back({"qrels", report.qrels});
  for (std::size_t i = 0; i < report.runs.size(); ++i) {
    table.rows.push_back({letter_of(i), report.runs[i].name});
  }
  return {"Files", {std::move(table)}};
}

Section topics_section(const ComparisonReport& report) {
  const MeasureComparison& measure = report.comparison.measures.front();
  Table table;
  table.header = {"topic"};
  for (std::size_t i = 0; i < report.runs.size(); ++i) {
    table.header.emplace_back(short_name(report, i));
  }
  for (std::size_t topic = 0; topic < report.comparison.qids.size(); ++topic) {
    Row row = {report.comparison.qids[topic].str()};
    for (const ComparedRun& run : measure.runs) {
      row.emplace_back(fmt::format("{:.4f}", run.values[topic]));
    }
    table.rows.push_back(std::move(row));
  }
  return {
      "All topics",
      {Group{fmt::format("{} of {} topics", report.measures.front(), report.comparison.qids.size()),
             {std::move(table)},
             false}}};
}

// Calls look(run, change) for each topic whose text the page shows.
template <typename Look>
void for_each_shown(const ComparisonReport& report, const Look& look) {
  for (std::size_t run = 1; run < report.runs.size(); ++run) {
    const auto changes = internal::changes_by_difference(report.comparison, run);
    for (const auto& change : internal::most_helped(changes)) look(run, change);
    for (const auto& change : internal::most_hurt(changes)) look(run, change);
  }
}

}  // namespace

Page comparison_page(const ComparisonReport& report) {
  RR_CHECK(report.runs.size() >= 2 && !report.measures.empty() && report.comparison.num_topics > 0,
           "a comparison has runs, measures and topics");
  Page page;
  page.title = fmt::format("Comparison of {} runs", report.runs.size());
  page.subtitle =
      fmt::format("{} of {}; the base is {}", counted(report.comparison.num_topics, "topic"),
                  std::filesystem::path(report.qrels).filename().string(), short_name(report, 0));
  page.sections.push_back(means_section(report));
  page.sections.push_back(significance_section(report));
  page.sections.push_back(precision_section(report));
  page.sections.push_back(ranks_section(report));
  if (auto costs = cost_section(report)) page.sections.push_back(std::move(*costs));
  for (std::size_t run = 1; run < report.runs.size(); ++run) {
    page.sections.push_back(internal::run_section(report, run));
  }
  page.sections.push_back(topics_section(report));
  page.sections.push_back(files_section(report));
  return page;
}

std::unordered_set<Qid> shown_topics(const ComparisonReport& report) {
  std::unordered_set<Qid> qids;
  for_each_shown(report, [&](std::size_t, const internal::TopicChange& change) {
    qids.insert(report.comparison.qids[change.topic]);
  });
  return qids;
}

std::unordered_set<Docid> shown_documents(const ComparisonReport& report) {
  std::unordered_set<Docid> docids;
  for_each_shown(report, [&](std::size_t run, const internal::TopicChange& change) {
    const Qid& qid = report.comparison.qids[change.topic];
    for (const internal::Move& move :
         internal::most_moved(internal::details_of_topic(report.runs.front().details, qid),
                              internal::details_of_topic(report.runs[run].details, qid))) {
      docids.insert(move.docid);
    }
  });
  return docids;
}

}  // namespace rr
