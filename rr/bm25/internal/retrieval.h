#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "rr/base/result.h"
#include "rr/bm25/internal/index_files.h"
#include "rr/bm25/internal/query_model.h"
#include "rr/bm25/internal/score_bounds.h"
#include "rr/bm25/searcher.h"

namespace rr::internal {

struct RetrievalMemory;

// What scoring needs of an index for one k1 and b, whatever the query.
class ScoringModel {
 public:
  // inverse_norms: [256], finite, by length code: 1 / (k1 (1 - b + b |d| / avgdl)). The files must
  // outlive the object.
  ScoringModel(const IndexFiles& files, std::vector<float> inverse_norms);

  const IndexFiles& files() const { return *files_; }
  std::span<const float> inverse_norms() const { return inverse_norms_; }
  const ShareTable& shares() const { return shares_; }
  const ShareRows& rows(std::size_t segment) const { return rows_[segment]; }

 private:
  const IndexFiles* files_;
  std::vector<float> inverse_norms_;
  ShareTable shares_;
  std::vector<ShareRows> rows_;  // of each segment
};

// Finds the best documents of queries, one after the other, and keeps its memory between them. Not
// thread-safe: one a thread.
class Retrieval {
 public:
  Retrieval();
  ~Retrieval();
  Retrieval(Retrieval&&) noexcept;
  Retrieval& operator=(Retrieval&&) noexcept;

  // The best k documents of a query, best first. Requires k >= 1.
  Result<std::vector<Hit>> run(const ScoringModel& scoring, const QueryModel& query, std::size_t k,
                               SearchMethod method);

 private:
  std::unique_ptr<RetrievalMemory> memory_;
};

}  // namespace rr::internal
