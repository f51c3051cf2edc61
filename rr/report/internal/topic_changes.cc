#include "rr/report/internal/topic_changes.h"

#include <algorithm>
#include <cmath>

#include "rr/base/check.h"

namespace rr::internal {
namespace {

constexpr double kRounding = 1e-10;

double discount(std::size_t rank) {
  return rank == 0 ? 0 : 1 / std::log2(static_cast<double>(rank) + 1);
}

double weight_of(const Move& move) {
  return std::abs(discount(move.to) - discount(move.from)) * move.grade;
}

}  // namespace

std::vector<TopicChange> changes_by_difference(const Comparison& comparison, std::size_t run) {
  const std::vector<ComparedRun>& runs = comparison.measures.front().runs;
  std::vector<TopicChange> changes;
  for (std::size_t topic = 0; topic < comparison.qids.size(); ++topic) {
    changes.push_back({topic, runs.front().values[topic], runs[run].values[topic]});
  }
  std::stable_sort(changes.begin(), changes.end(),
                   [](const auto& a, const auto& b) { return a.difference() > b.difference(); });
  return changes;
}

std::vector<TopicChange> most_helped(const std::vector<TopicChange>& by_difference) {
  std::vector<TopicChange> helped;
  for (const TopicChange& change : by_difference) {
    if (helped.size() == kMostTopics || change.difference() < kRounding) break;
    helped.push_back(change);
  }
  return helped;
}

std::vector<TopicChange> most_hurt(const std::vector<TopicChange>& by_difference) {
  std::vector<TopicChange> hurt;
  for (auto change = by_difference.rbegin(); change != by_difference.rend(); ++change) {
    if (hurt.size() == kMostTopics || change->difference() > -kRounding) break;
    hurt.push_back(*change);
  }
  return hurt;
}

std::vector<Move> most_moved(const TopicDetails& base, const TopicDetails& other) {
  RR_CHECK(base.relevant.size() == other.relevant.size(), "details under the same qrels");
  std::vector<Move> moves;
  for (std::size_t i = 0; i < base.relevant.size(); ++i) {
    const RelevantDocument& document = base.relevant[i];
    const std::size_t to = other.relevant[i].rank;
    if (document.rank != to) moves.push_back({document.docid, document.grade, document.rank, to});
  }
  std::stable_sort(moves.begin(), moves.end(),
                   [](const Move& a, const Move& b) { return weight_of(a) > weight_of(b); });
  if (moves.size() > kMostMoves) moves.resize(kMostMoves);
  return moves;
}

const TopicDetails& details_of_topic(const RunDetails& details, const Qid& qid) {
  const auto found = std::lower_bound(
      details.begin(), details.end(), qid,
      [](const TopicDetails& topic, const Qid& wanted) { return topic.qid < wanted; });
  RR_CHECK(found != details.end() && found->qid == qid, "every compared topic has qrels");
  return *found;
}

}  // namespace rr::internal
