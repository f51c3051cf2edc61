#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "rr/measures/compare.h"
#include "rr/report/run_details.h"

// What a run changed against the base, topic by topic.

namespace rr::internal {

struct TopicChange {
  std::size_t topic = 0;  // index in Comparison::qids
  double base = 0;        // values under the first measure
  double other = 0;
  double difference() const { return other - base; }
};

// Of all topics under the first measure, the most helped first; ties by qid.
std::vector<TopicChange> changes_by_difference(const Comparison& comparison, std::size_t run);

inline constexpr std::size_t kMostTopics = 10;

// At most kMostTopics topics that gained, most first; and that lost, most first. Differences up to
// 1e-10 are neither, as in Comparison.
std::vector<TopicChange> most_helped(const std::vector<TopicChange>& by_difference);
std::vector<TopicChange> most_hurt(const std::vector<TopicChange>& by_difference);

// A relevant document whose rank changed; rank 0: not in the run.
struct Move {
  Docid docid;
  int grade = 0;
  std::size_t from = 0;
  std::size_t to = 0;
  bool is_up() const { return to != 0 && (from == 0 || to < from); }
};

inline constexpr std::size_t kMostMoves = 5;

// Relevant documents of a topic that moved, at most kMostMoves: those first whose move counts most,
// by grade x difference of 1 / log2(rank + 1), as nDCG sees it; ties by docid.
std::vector<Move> most_moved(const TopicDetails& base, const TopicDetails& other);

// The topic's entry. Requires that there is one.
const TopicDetails& details_of_topic(const RunDetails& details, const Qid& qid);

}  // namespace rr::internal
