#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "rr/ir/qrels.h"

namespace rr {

inline constexpr int kUnjudged = std::numeric_limits<int>::min();

// A ranking as its topic's qrels see it: all that a measure needs to know, looked up once for every
// measure.
struct JudgedRanking {
  std::vector<int> grades;      // of each document, best first; kUnjudged where there is none
  std::vector<int> judgements;  // grades of all judged documents of the topic, highest first
};

// ranking: best first, no docid twice. Its order is taken as it is; ties in score were settled when
// the ranking was made (ir/ranking.h).
JudgedRanking judge(std::span<const Docid> ranking, const TopicQrels& qrels);

// Grades of the topic's judged documents, highest first.
std::vector<int> sorted_grades(const TopicQrels& qrels);

// Judged documents of at least this grade, retrieved or not.
std::size_t count_relevant(const JudgedRanking& ranking, int relevant_from);

// Documents of at least this grade among the first k. Requires relevant_from > kUnjudged.
std::size_t count_relevant_within(std::size_t k, const JudgedRanking& ranking, int relevant_from);

}  // namespace rr
