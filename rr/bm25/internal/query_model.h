#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "rr/bm25/analyzer.h"
#include "rr/bm25/internal/index_files.h"
#include "rr/bm25/searcher.h"

namespace rr::internal {

// A term of the query that some document has.
struct QueryTerm {
  float boost;
  float idf;
  float weight() const { return boost * idf; }  // no document gets as much
};

struct QueryModel {
  std::vector<QueryTerm> terms;  // in the order in which they first stand in the query
  // [segment][term]: where the terms are; of no documents where the segment lacks one.
  std::vector<Segment::Term> places;
  std::size_t unknown_terms = 0;
};

// Lucene's idf and mean length, in its 32-bit floats.
float inverse_document_frequency(std::uint64_t num_with_term, std::uint64_t num_documents);
float mean_length(const IndexStatistics& statistics);

QueryModel query_model(const IndexFiles& files, const Bm25Options& options, std::string_view query,
                       EnglishAnalyzer& analyzer);

}  // namespace rr::internal
