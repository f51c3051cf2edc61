#pragma once

#include <cstdint>

namespace rr {

// What a BM25 score needs to know of a collection, and what people ask about it.
struct IndexStatistics {
  std::uint64_t num_documents = 0;
  std::uint64_t num_nonempty = 0;  // with at least one term: the N of idf and of the mean length
  std::uint64_t num_terms = 0;     // different ones
  std::uint64_t total_terms = 0;   // with repetitions: the sum of all lengths
  std::uint64_t num_postings = 0;  // pairs of term and document
};

}  // namespace rr
