#include "rr/ir/own_documents.h"

#include <vector>

namespace rr {

std::size_t exclude_own_documents(Run& run) {
  std::size_t removed = 0;
  for (Ranking& ranking : run.rankings) {
    removed += std::erase_if(
        ranking.docs, [&](const ScoredDocid& doc) { return doc.docid.str() == ranking.qid.str(); });
  }
  return removed;
}

}  // namespace rr
