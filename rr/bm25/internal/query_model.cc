#include "rr/bm25/internal/query_model.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
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
  std::uint32_t number;  // of the analyzer
  float frequency;
};

// In the order in which they first stand in the query.
std::vector<CountedTerm> count_terms(const std::vector<std::uint32_t>& numbers) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> sorted;  // number, place
  for (std::uint32_t place = 0; place < numbers.size(); ++place) {
    sorted.emplace_back(numbers[place], place);
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::pair<std::uint32_t, CountedTerm>> counted;  // by the first place
  for (const auto& [number, place] : sorted) {
    if (counted.empty() || counted.back().second.number != number) {
      counted.push_back({place, {number, 0}});
    }
    ++counted.back().second.frequency;
  }
  std::sort(counted.begin(), counted.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<CountedTerm> terms;
  for (const auto& [place, term] : counted) terms.push_back(term);
  return terms;
}

// Where the term is in each segment; the number of documents that have it.
std::uint64_t find_term(const IndexFiles& files, std::string_view text,
                        std::vector<Segment::Term>& places) {
  std::uint64_t num_documents = 0;
  places.clear();
  for (const Segment& segment : files.segments()) {
    places.push_back(segment.find_term(text).value_or(Segment::Term{0, 0}));
    num_documents += places.back().num_documents;
  }
  return num_documents;
}

// [term][segment] becomes [segment][term].
std::vector<Segment::Term> by_segment(const std::vector<Segment::Term>& places,
                                      std::size_t num_segments) {
  if (num_segments == 1) return places;
  std::vector<Segment::Term> turned;
  for (std::size_t segment = 0; segment < num_segments; ++segment) {
    for (std::size_t i = segment; i < places.size(); i += num_segments) {
      turned.push_back(places[i]);
    }
  }
  return turned;
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

QueryModel query_model(const IndexFiles& files, const Bm25Options& options, std::string_view query,
                       EnglishAnalyzer& analyzer) {
  const std::vector<std::uint32_t>& words = analyzer.numbers_of(query);
  const IndexStatistics& statistics = files.statistics();
  const float mean = mean_length(statistics);
  QueryModel model;
  std::vector<Segment::Term> places;
  std::vector<Segment::Term> all_places;
  for (const CountedTerm& counted : count_terms(words)) {
    const std::uint64_t num_documents = find_term(files, analyzer.term(counted.number), places);
    if (num_documents == 0) {
      ++model.unknown_terms;
      continue;
    }
    const float idf = inverse_document_frequency(num_documents, statistics.num_nonempty);
    model.terms.push_back(
        {boost_of(counted.frequency, idf, static_cast<float>(words.size()), options, mean), idf});
    all_places.insert(all_places.end(), places.begin(), places.end());
  }
  model.places = by_segment(all_places, files.segments().size());
  return model;
}

}  // namespace rr::internal
