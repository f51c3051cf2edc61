#include "rr/report/training_page.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <variant>
#include <vector>

#include "rr/report/internal/stretches.h"

namespace rr {
namespace {

using internal::kMostPoints;
using internal::stretch_width;
using internal::summarised;
using internal::Summary;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

LineSeries series_of(const std::string& key, const std::vector<double>& values) {
  LineSeries series{key, {}};
  for (std::size_t i = 0; i < values.size(); ++i) {
    series.points.push_back({static_cast<double>(i + 1), values[i]});
  }
  return series;
}

TrainingLog log_of(const std::string& name, std::vector<LineSeries> metrics) {
  TrainingLog log;
  log.name = name;
  log.run = {{"program", "reasonrank 1"},
             {"kind", "sft"},
             {"settings", {{"model", "/models/small.gguf"}, {"lr", 1e-5}}}};
  log.metrics = std::move(metrics);
  return log;
}

// Every chart of the page, in its order.
std::vector<Chart> charts_of(const Page& page) {
  std::vector<Chart> charts;
  for (const Section& section : page.sections) {
    for (const Block& block : section.blocks) {
      if (const auto* const chart = std::get_if<Chart>(&block.content)) charts.push_back(*chart);
    }
  }
  return charts;
}

std::vector<std::string> titles_of(const std::vector<Chart>& charts) {
  std::vector<std::string> titles;
  for (const Chart& chart : charts) titles.push_back(chart.title);
  return titles;
}

std::vector<std::string> line_names(const Chart& chart) {
  std::vector<std::string> names;
  for (const LineSeries& series : std::get<Lines>(chart.plot).series) names.push_back(series.name);
  return names;
}

TEST(Stretches, AShortSeriesStaysAsItIs) {
  const LineSeries series = series_of("loss", std::vector<double>(kMostPoints, 1.0));
  EXPECT_EQ(stretch_width({&series}), 1u);
  EXPECT_EQ(summarised(series.points, 1, Summary::kMean).size(), kMostPoints);
}

TEST(Stretches, ALongOneHasAPointForEachStretch) {
  std::vector<double> values;
  for (std::size_t i = 1; i <= 2 * kMostPoints + 1; ++i) values.push_back(static_cast<double>(i));
  values[1] = std::nan("");
  const LineSeries series = series_of("loss", values);
  ASSERT_EQ(stretch_width({&series}), 3u);
  const std::vector<XY> means = summarised(series.points, 3, Summary::kMean);
  ASSERT_EQ(means.size(), 201u);
  EXPECT_EQ(means[0].x, 3);  // steps 1 to 3, of which 2 is no number
  EXPECT_EQ(means[0].y, 2);  // (1 + 3) / 2
  EXPECT_EQ(means[1].y, 5);  // (4 + 5 + 6) / 3
  EXPECT_EQ(means.back().x, 601);
  EXPECT_EQ(means.back().y, 601);
  const std::vector<XY> highest = summarised(series.points, 3, Summary::kHighest);
  EXPECT_EQ(highest[1].y, 6);
}

TEST(TrainingPage, OneRunShowsWhatBelongsTogetherInOneChart) {
  TrainingLog log = log_of("runs/a/", {series_of("loss", {3, 2}), series_of("lr", {0.1, 0.2}),
                                       series_of("own_number", {1, 1})});
  log.metrics.push_back({"validation_loss", {{2, 2.5}}});
  log.metrics.push_back(series_of("kl", {std::nan(""), std::nan("")}));
  const Page page = training_page({log});
  const std::vector<Chart> charts = charts_of(page);
  EXPECT_THAT(titles_of(charts), ElementsAre("Loss", "Learning rate", "own_number"));
  EXPECT_THAT(line_names(charts[0]), ElementsAre("loss", "held-out loss"));
  EXPECT_EQ(charts[0].y.unit, "nats a token");
  const Table numbers = data_table(charts[0]);
  ASSERT_EQ(numbers.rows.size(), 2u);
  EXPECT_EQ(numbers.rows[0][2].text, "");  // the held-out loss has no step 1
  EXPECT_EQ(numbers.rows[1][2].text, "2.5");
  const std::string html = to_html(page);
  EXPECT_THAT(html, HasSubstr("2.5 (step 2)"));
  EXPECT_THAT(html, HasSubstr("small.gguf"));
}

TEST(TrainingPage, ALossOfAnotherKindHasAChartOfItsOwn) {
  const TrainingLog a = log_of("a", {series_of("loss", {3})});
  TrainingLog b = log_of("b", {series_of("loss", {0.01})});
  b.run["kind"] = "grpo";
  EXPECT_THAT(titles_of(charts_of(training_page({a, b}))), ElementsAre("Loss", "Policy loss"));
}

TEST(TrainingPage, SeveralRunsShareEachChart) {
  const TrainingLog a = log_of("runs/a", {series_of("reward", {0.1, 0.2})});
  TrainingLog b = log_of("other/a", {series_of("reward", {0.3}), series_of("kl", {0.1})});
  b.run["settings"]["lr"] = 2e-5;
  const Page page = training_page({a, b});
  const std::vector<Chart> charts = charts_of(page);
  EXPECT_THAT(titles_of(charts), ElementsAre("Reward", "KL"));
  EXPECT_THAT(line_names(charts[0]), ElementsAre("runs/a", "other/a"));
  EXPECT_THAT(line_names(charts[1]), ElementsAre("other/a"));
  const std::string html = to_html(page);
  EXPECT_THAT(html, HasSubstr("<b>2e-05</b>"));
  EXPECT_THAT(html, Not(HasSubstr("<b>/models/small.gguf</b>")));
}

TEST(TrainingPage, ALongRunSaysHowItIsSummarised) {
  const std::vector<double> values(3000, 1.0);
  const Page page =
      training_page({log_of("a", {series_of("loss", values), series_of("grad_norm", values)})});
  const std::vector<Chart> charts = charts_of(page);
  EXPECT_THAT(charts[0].description, HasSubstr("is the mean of 10 steps."));
  EXPECT_THAT(charts[1].description, HasSubstr("is the highest of 10 steps."));
  EXPECT_EQ(data_table(charts[0]).rows.size(), 300u);
}

TEST(TrainingPage, ShowsRepliesAsText) {
  TrainingLog log = log_of("a", {series_of("reward", {0.5})});
  log.samples.push_back({1, "q<1>", "why?", "<think>\nhm\n</think>", {{"reward", 0.5}}});
  log.is_cut = true;
  const std::string html = to_html(training_page({log}));
  EXPECT_THAT(html, HasSubstr("Step 1, topic q&lt;1&gt;, reward 0.5"));
  EXPECT_THAT(html, HasSubstr("&lt;think&gt;\nhm\n&lt;/think&gt;"));
  EXPECT_THAT(html, HasSubstr("last line is not whole"));
}

TEST(TrainingPage, ARunWithoutAStepSaysSo) {
  TrainingLog log = log_of("a", {});
  log.run = Json::array();  // a run.json that is not ours must not break the page
  EXPECT_THAT(to_html(training_page({log})), HasSubstr("no step is done yet"));
}

}  // namespace
}  // namespace rr
