#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "rr/base/result.h"
#include "rr/bm25/internal/index_files.h"
#include "rr/bm25/internal/query_model.h"
#include "rr/bm25/searcher.h"

namespace rr::internal {

// The best k documents of a query, best first. inverse_norms: [256], by length code.
Result<std::vector<Hit>> retrieve(const IndexFiles& files, const QueryModel& model,
                                  std::span<const float> inverse_norms, std::size_t k,
                                  SearchMethod method);

}  // namespace rr::internal
