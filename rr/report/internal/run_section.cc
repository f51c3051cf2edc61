#include "rr/report/internal/run_section.h"

#include <fmt/core.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <utility>

#include "rr/base/utf8.h"
#include "rr/report/comparison_tables.h"
#include "rr/report/internal/rank_bands.h"
#include "rr/report/internal/topic_changes.h"

namespace rr::internal {
namespace {

constexpr std::size_t kMostPoints = 1000;   // of moved documents in one chart
constexpr std::size_t kPassageBytes = 700;  // of a passage that a page shows
constexpr std::size_t kQueryBytesInTitle = 90;

// At most `bytes` of the text, not cut inside a character, with "…" where something is left out.
std::string head_of(const std::string& text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  std::string head = text.substr(0, bytes);
  head.resize(head.size() - incomplete_utf8_tail(head));
  return head + "…";
}

Chart difference_chart(const ComparisonReport& report, std::size_t run,
                       const std::vector<TopicChange>& changes) {
  const std::string& measure = report.measures.front();
  const ComparedPair& pair = report.comparison.measures.front().pairs[run - 1];
  BarSeries series{"difference", {}, {}};
  Bars bars{{}, {}, /*is_horizontal=*/false, /*colour_by_sign=*/true};
  for (const TopicChange& change : changes) {
    bars.categories.push_back(report.comparison.qids[change.topic].str());
    series.values.push_back(change.difference());
  }
  bars.series.push_back(std::move(series));
  return {"Difference by topic",
          fmt::format("{} of {} minus that of the base, the most helped topic first: {} better, {} "
                      "equal, {} worse.",
                      measure, letter_of(run), pair.wins, pair.ties, pair.losses),
          {.title = "topics, by difference"},
          {.title = fmt::format("{}, {} − a", measure, letter_of(run))},
          std::move(bars)};
}

Chart scatter_chart(const ComparisonReport& report, std::size_t run,
                    const std::vector<TopicChange>& changes) {
  const std::string& measure = report.measures.front();
  ScatterSeries series{letter_of(run), {}};
  for (const TopicChange& change : changes) {
    series.points.push_back(
        {change.base, change.other, report.comparison.qids[change.topic].str()});
  }
  return {"Topic by topic",
          fmt::format("A point is a topic; above the dashed line {} is better than the base.",
                      letter_of(run)),
          {.title = measure + " of a", .min = 0, .max = 1},
          {.title = fmt::format("{} of {}", measure, letter_of(run)), .min = 0, .max = 1},
          Scatter{{std::move(series)}, /*has_diagonal=*/true}};
}

struct Movement {
  std::array<std::array<std::size_t, kRankBands>, kRankBands> counts{};  // [band of a][of the run]
  std::vector<ScatterPoint> points;  // of documents that both have
  std::size_t documents = 0;
};

Movement movement_of(const ComparisonReport& report, std::size_t run) {
  Movement movement;
  for (const Qid& qid : report.comparison.qids) {
    const auto& base = details_of_topic(report.runs.front().details, qid).relevant;
    const auto& other = details_of_topic(report.runs[run].details, qid).relevant;
    for (std::size_t i = 0; i < base.size(); ++i) {
      const std::size_t from = base[i].rank;
      const std::size_t to = other[i].rank;
      ++movement.documents;
      ++movement.counts[band_of(from)][band_of(to)];
      if (from == 0 || to == 0) continue;
      movement.points.push_back({static_cast<double>(from), static_cast<double>(to),
                                 fmt::format("{} of topic {}", base[i].docid.str(), qid.str())});
    }
  }
  return movement;
}

// Every n-th point, so that at most kMostPoints are left; returns n.
std::size_t thin_out(std::vector<ScatterPoint>& points) {
  const std::size_t step = (points.size() + kMostPoints - 1) / kMostPoints;
  if (step <= 1) return 1;
  std::vector<ScatterPoint> kept;
  for (std::size_t i = 0; i < points.size(); i += step) kept.push_back(std::move(points[i]));
  points = std::move(kept);
  return step;
}

Chart movement_chart(std::size_t run, Movement& movement) {
  const std::size_t all = movement.points.size();
  const std::size_t step = thin_out(movement.points);
  std::string description = fmt::format(
      "A point is a relevant document that both runs have; below the dashed line {} ranks it "
      "higher "
      "than the base.",
      letter_of(run));
  if (step > 1) {
    description += fmt::format(
        " One in {} of the {} documents is drawn; the table below counts all.", step, all);
  }
  return {"Movement of relevant documents",
          std::move(description),
          {.title = "rank in a", .is_logarithmic = true},
          {.title = "rank in " + letter_of(run), .is_logarithmic = true},
          Scatter{{{letter_of(run), std::move(movement.points)}}, /*has_diagonal=*/true}};
}

Table movement_table(std::size_t run, const Movement& movement) {
  std::array<bool, kRankBands> is_used{};
  for (std::size_t from = 0; from < kRankBands; ++from) {
    for (std::size_t to = 0; to < kRankBands; ++to) {
      if (movement.counts[from][to] > 0) is_used[from] = is_used[to] = true;
    }
  }
  Table table;
  table.title =
      fmt::format("Relevant documents by rank in a (rows) and in {} (columns)", letter_of(run));
  table.header = {"rank in a"};
  for (std::size_t from = 0; from < kRankBands; ++from) {
    if (!is_used[from]) continue;
    table.header.emplace_back(band_name(from));
    Row row = {band_name(from)};
    for (std::size_t to = 0; to < kRankBands; ++to) {
      if (!is_used[to]) continue;
      const std::size_t count = movement.counts[from][to];
      Cell cell(std::to_string(count));
      if (count > 0 && from != to) cell.tone = to < from ? Tone::kGood : Tone::kBad;
      row.push_back(std::move(cell));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string rank_text(std::size_t rank) {
  return rank == 0 ? "not found" : fmt::format("rank {}", rank);
}

void add_move(const ComparisonReport& report, const Move& move, std::vector<Block>& blocks) {
  blocks.emplace_back(
      Text{fmt::format("{} {} → {}, grade {}: {}", move.is_up() ? "▲" : "▼", rank_text(move.from),
                       rank_text(move.to), move.grade, move.docid.str())});
  const auto found = report.passages.find(move.docid);
  if (found == report.passages.end()) return;
  const Passage& passage = found->second;
  const std::string text =
      passage.title.empty() ? passage.text : passage.title + "\n" + passage.text;
  blocks.emplace_back(Text{head_of(text, kPassageBytes), Text::Kind::kVerbatim});
}

Group topic_group(const ComparisonReport& report, std::size_t run, const TopicChange& change) {
  const Qid& qid = report.comparison.qids[change.topic];
  Group group;
  group.is_open = false;
  group.title = fmt::format("{}: {:+.4f} ({:.4f} → {:.4f})", qid.str(), change.difference(),
                            change.base, change.other);
  if (const auto query = report.queries.find(qid); query != report.queries.end()) {
    group.title += " – " + head_of(query->second, kQueryBytesInTitle);
    if (query->second.size() > kQueryBytesInTitle) {
      group.blocks.emplace_back(Text{query->second, Text::Kind::kVerbatim});
    }
  }
  const std::vector<Move> moves = most_moved(details_of_topic(report.runs.front().details, qid),
                                             details_of_topic(report.runs[run].details, qid));
  if (moves.empty()) {
    group.blocks.emplace_back(Text{"No relevant document moved."});
  } else {
    group.blocks.emplace_back(
        Text{fmt::format("Relevant documents that moved most, from a to {}:", letter_of(run)),
             Text::Kind::kNote});
  }
  for (const Move& move : moves) add_move(report, move, group.blocks);
  return group;
}

void add_topics(const ComparisonReport& report, std::size_t run, const char* title,
                const std::vector<TopicChange>& changes, Section& section) {
  Group group{title, {}, true};
  if (changes.empty()) group.blocks.emplace_back(Text{"None."});
  for (const TopicChange& change : changes) {
    group.blocks.emplace_back(topic_group(report, run, change));
  }
  section.blocks.emplace_back(std::move(group));
}

}  // namespace

std::string file_name(const ComparisonReport& report, std::size_t run) {
  const auto last_part = [&report](std::size_t i) {
    return std::filesystem::path(report.runs[i].name).filename().string();
  };
  const std::string name = last_part(run);
  for (std::size_t i = 0; i < report.runs.size(); ++i) {
    if (i != run && last_part(i) == name) return report.runs[run].name;
  }
  return name;
}

std::string short_name(const ComparisonReport& report, std::size_t run) {
  return letter_of(run) + " " + file_name(report, run);
}

Section run_section(const ComparisonReport& report, std::size_t run) {
  const std::vector<TopicChange> changes = changes_by_difference(report.comparison, run);
  Movement movement = movement_of(report, run);
  const Table moved = movement_table(run, movement);
  Section section{fmt::format("{} against the base", short_name(report, run)), {}};
  section.blocks.emplace_back(difference_chart(report, run, changes));
  section.blocks.emplace_back(scatter_chart(report, run, changes));
  if (!movement.points.empty()) section.blocks.emplace_back(movement_chart(run, movement));
  section.blocks.emplace_back(moved);
  add_topics(report, run, "Topics most helped", most_helped(changes), section);
  add_topics(report, run, "Topics most hurt", most_hurt(changes), section);
  return section;
}

}  // namespace rr::internal
