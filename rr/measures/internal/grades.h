#pragma once

#include <algorithm>
#include <cstddef>

#include "rr/ir/qrels.h"

namespace rr {

// 0 for an unjudged document.
inline int grade_of(const Docid& docid, const TopicQrels& qrels) {
  const auto judgement = qrels.find(docid);
  return judgement == qrels.end() ? 0 : judgement->second;
}

// Judged documents of at least this grade.
inline std::size_t count_relevant(const TopicQrels& qrels, int relevant_from) {
  return static_cast<std::size_t>(
      std::count_if(qrels.begin(), qrels.end(),
                    [&](const auto& judgement) { return judgement.second >= relevant_from; }));
}

}  // namespace rr
