#include "rr/report/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "rr/report/internal/chart_json.h"

namespace rr {
namespace {

using internal::chart_to_json;
using ::testing::ElementsAre;

std::vector<std::string> texts_of(const Row& row) {
  std::vector<std::string> texts;
  for (const Cell& cell : row) texts.push_back(cell.text);
  return texts;
}

TEST(Chart, LinesOverOneAxisStandSideBySideInTheTable) {
  // Two series of a training run; the second is measured every other step.
  const Chart chart = {"Loss",
                       "",
                       {.title = "step"},
                       {.title = "loss", .unit = "nats a token"},
                       Lines{{{"train", {{1, 2.5}, {2, 2.25}, {3, std::nan("")}}},
                              {"validation", {{1, 2.75}, {3, 2.5}}}}}};
  const Table table = data_table(chart);
  EXPECT_THAT(texts_of(table.header), ElementsAre("step", "train", "validation"));
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_THAT(texts_of(table.rows[0]), ElementsAre("1", "2.5", "2.75"));
  EXPECT_THAT(texts_of(table.rows[1]), ElementsAre("2", "2.25", ""));
  EXPECT_THAT(texts_of(table.rows[2]), ElementsAre("3", "", "2.5"));
  EXPECT_EQ(
      to_json_line(chart_to_json(chart)),
      R"j({"x":{"title":"step"},"y":{"title":"loss (nats a token)"},"kind":"lines","series":[)j"
      R"j({"name":"train","x":[1.0,2.0,3.0],"y":[2.5,2.25,null]},)j"
      R"j({"name":"validation","x":[1.0,3.0],"y":[2.75,2.5]}]})j");
}

TEST(Chart, BarsHaveTheirWhiskersInTheTable) {
  const Chart chart = {"Means",
                       "",
                       {.title = "run"},
                       {.title = "nDCG@10", .min = 0},
                       Bars{{"a", "b"},
                            {{"mean", {0.123456789, 0.5}, {{0.1, 0.2}, {0.4, 0.6}}}},
                            /*is_horizontal=*/true}};
  const Table table = data_table(chart);
  EXPECT_THAT(texts_of(table.header), ElementsAre("run", "mean", "from", "to"));
  EXPECT_THAT(texts_of(table.rows[0]), ElementsAre("a", "0.123457", "0.1", "0.2"));
  EXPECT_EQ(to_json_line(chart_to_json(chart)),
            R"({"x":{"title":"run"},"y":{"title":"nDCG@10","min":0.0},"kind":"bars",)"
            R"("categories":["a","b"],"horizontal":true,)"
            R"("series":[{"name":"mean","y":[0.123457,0.5],"low":[0.1,0.4],"high":[0.2,0.6]}]})");
}

TEST(Chart, PointsCarryTheirLabels) {
  const Chart chart = {"Topics",
                       "",
                       {.title = "base"},
                       {.title = "run"},
                       Scatter{{{"b", {{0.25, 0.5, "q1"}}}}, /*has_diagonal=*/true}};
  const Table table = data_table(chart);
  EXPECT_THAT(texts_of(table.header), ElementsAre("point", "base", "run"));
  EXPECT_THAT(texts_of(table.rows.at(0)), ElementsAre("q1", "0.25", "0.5"));
  const Json json = chart_to_json(chart);
  EXPECT_EQ(json["diagonal"], true);
  EXPECT_EQ(json["series"][0]["label"][0], "q1");
}

TEST(Chart, AHistogramIsBarsNamedByTheirBins) {
  const std::vector<double> edges = equal_bins(0, 1, 4);
  EXPECT_THAT(edges, ElementsAre(0, 0.25, 0.5, 0.75, 1));
  // Lower edges belong to their bin, the upper edge of all to the last; what is outside is left
  // out.
  const std::vector<double> scores = {0, 0.1, 0.25, 0.75, 1, -0.1, 1.5, std::nan("")};
  const std::vector<std::size_t> counts = count_in_bins(scores, edges);
  EXPECT_THAT(counts, ElementsAre(2, 1, 0, 2));
  const Chart chart = {"Scores",
                       "",
                       {.title = "nDCG@10"},
                       {.title = "windows"},
                       Histogram{edges, {{"kept", counts}}}};
  EXPECT_THAT(texts_of(data_table(chart).rows.at(3)), ElementsAre("0.75 – 1", "2"));
  const Json json = chart_to_json(chart);
  EXPECT_EQ(json["kind"], "bars");
  EXPECT_EQ(json["joined"], true);
  EXPECT_EQ(json["categories"][0], "0 – 0.25");
  EXPECT_EQ(json["series"][0]["y"], Json({2, 1, 0, 2}));
}

TEST(Chart, RefusesSeriesThatDoNotFit) {
  const Chart short_series = {
      "", "", {.title = "run"}, {.title = "mean"}, Bars{{"a", "b"}, {{"mean", {0.5}, {}}}}};
  EXPECT_DEATH(chart_to_json(short_series), "a bar for each category");
  const Chart nameless = {"", "", {}, {.title = "mean"}, Lines{}};
  EXPECT_DEATH(chart_to_json(nameless), "an axis needs a title");
}

}  // namespace
}  // namespace rr
