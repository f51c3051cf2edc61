#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "rr/base/result.h"
#include "rr/bm25/internal/index_files.h"
#include "rr/bm25/internal/query_model.h"
#include "rr/bm25/searcher.h"

namespace rr::internal {

struct RetrievalMemory;

// Finds the best documents of queries, one after the other, and keeps its memory between them. Not
// thread-safe: one a thread.
class Retrieval {
 public:
  Retrieval();
  ~Retrieval();
  Retrieval(Retrieval&&) noexcept;
  Retrieval& operator=(Retrieval&&) noexcept;

  // The best k documents of a query, best first. inverse_norms: [256], by length code. Requires
  // k >= 1.
  Result<std::vector<Hit>> run(const IndexFiles& files, const QueryModel& model,
                               std::span<const float> inverse_norms, std::size_t k,
                               SearchMethod method);

 private:
  std::unique_ptr<RetrievalMemory> memory_;
};

}  // namespace rr::internal
