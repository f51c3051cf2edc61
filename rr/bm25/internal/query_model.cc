#include "rr/bm25/internal/query_model.h"

#include <cmath>
#include <unordered_map>
#include <utility>

#include "rr/bm25/analyzer.h"

namespace rr::internal {
namespace {

// What the query counts a term of frequency `frequency` for.
float boost_of(float frequency, float idf, float query_length, const Bm25Options& options,
               float mean) {
  if (!options.query_side) return frequency;
  const float norm = options.k1 * (1 - options.b + options.b * (query_length / mean));
  return idf * (frequency / (frequency + norm));
}

struct CountedTerm {
  std::string_view text;
  float frequency;
};

std::vector<CountedTerm> count_terms(const std::vector<std::string_view>& terms) {
  std::vector<CountedTerm> counted;
  std::unordered_map<std::string_view, std::size_t> places;
  for (const std::string_view term : terms) {
    const auto [place, is_new] = places.emplace(term, counted.size());
    if (is_new) counted.push_back({term, 0});
    ++counted[place->second].frequency;
  }
  return counted;
}

// Where the term is in each segment; the number of documents that have it.
std::uint64_t find_term(const IndexFiles& files, std::string_view text,
                        std::vector<std::optional<Segment::Term>>& places) {
  std::uint64_t num_documents = 0;
  for (const Segment& segment : files.segments()) {
    places.push_back(segment.find_term(text));
    if (places.back()) num_documents += places.back()->num_documents;
  }
  return num_documents;
}

}  // namespace

float inverse_document_frequency(std::uint64_t num_with_term, std::uint64_t num_documents) {
  const auto df = static_cast<double>(num_with_term);
  return static_cast<float>(
      std::log(1 + (static_cast<double>(num_documents) - df + 0.5) / (df + 0.5)));
}

float mean_length(const IndexStatistics& statistics) {
  return static_cast<float>(static_cast<double>(statistics.total_terms) /
                            static_cast<double>(statistics.num_nonempty));
}

QueryModel query_model(const IndexFiles& files, const Bm25Options& options,
                       std::string_view query) {
  EnglishAnalyzer analyzer;
  const std::vector<std::string_view>& words = analyzer.terms_of(query);
  const IndexStatistics& statistics = files.statistics();
  const float mean = mean_length(statistics);
  QueryModel model;
  for (const CountedTerm& counted : count_terms(words)) {
    QueryTerm term;
    const std::uint64_t num_documents = find_term(files, counted.text, term.places);
    if (num_documents == 0) {
      ++model.unknown_terms;
      continue;
    }
    term.idf = inverse_document_frequency(num_documents, statistics.num_nonempty);
    term.boost =
        boost_of(counted.frequency, term.idf, static_cast<float>(words.size()), options, mean);
    model.terms.push_back(std::move(term));
  }
  return model;
}

}  // namespace rr::internal
