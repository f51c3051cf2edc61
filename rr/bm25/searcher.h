#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/result.h"
#include "rr/bm25/index.h"
#include "rr/ir/ranking.h"
#include "rr/ir/topic.h"

namespace rr {

namespace internal {
class ScoringModel;
class SearchWorker;
}  // namespace internal

// BM25 as Lucene 9 and Anserini compute it, in 32-bit floats:
//
//   score(q, d) = sum over the terms t of q of  qtf(t) * idf(t) * tf / (tf + k1 (1 - b + b |d| /
//   avgdl)) idf(t) = ln(1 + (N - df(t) + 0.5) / (df(t) + 0.5))
//
// qtf and tf: how often t stands in query and document; |d|: the document's length in terms,
// rounded down to four significant bits (SmallFloat); N, avgdl: number and mean length of the
// documents with at least one term. Robertson and Zaragoza, FnTIR 3(4), 2009, without the factor k1
// + 1.
//
// query_side ("BM25Q", for queries of many words): the query is weighted by the same model, that
// is, idf(t) * qtf / (qtf + k1 (1 - b + b |q| / avgdl)) stands in the place of qtf. As in
// Anserini's QuerySideBm25QueryGenerator and BRIGHT's retrieval by gensim.
struct Bm25Options {
  float k1 = 0.9F;  // >= 0
  float b = 0.4F;   // in [0, 1]
  bool query_side = false;
};

// A document that the query found.
struct Hit {
  std::uint32_t doc = 0;  // its number in the index
  float score = 0;
};

struct SearchResult {
  std::vector<Hit> hits;          // best first; equal scores by docid, ascending by bytes
  std::size_t num_terms = 0;      // different ones of the query, after stop words
  std::size_t unknown_terms = 0;  // of these, in no document
};

// Why a query found nothing, as a clause; empty where it found something.
std::string why_nothing_found(const SearchResult& result);

// The same terms and scores whichever way they were found.
enum class SearchMethod {
  kPruned,      // scores only what a bound lets be among the best
  kExhaustive,  // scores every document that has a term; what kPruned is tested against
};

using TakeSearchResult = std::function<Status(std::size_t topic, SearchResult result)>;

// Finds the best documents of an index. May be used by many threads at once.
class Searcher {
 public:
  // The index must outlive the searcher. Requires finite k1 >= 0 and 0 <= b <= 1.
  explicit Searcher(const Index& index, const Bm25Options& options = {});

  // The best k documents that share a term with the query, fewer where there are not so many.
  // Documents that contain no term of it are never found. Requires valid UTF-8. Fails only where
  // the index is damaged.
  Result<SearchResult> search(std::string_view query, std::size_t k,
                              SearchMethod method = SearchMethod::kPruned) const;

  // The same without the topic's excluded documents, and with `exclude_own` without the document
  // whose docid is the topic's qid: k others take their places.
  Result<SearchResult> search(const Topic& topic, std::size_t k, bool exclude_own = false) const;

  // Passages of the hits, in their order.
  Result<Request> request_of(const Topic& topic, const SearchResult& result) const;

  const Index& index() const { return *index_; }

 private:
  friend Status search_each(const Searcher&, std::span<const Topic>, std::size_t, bool, std::size_t,
                            const TakeSearchResult&);
  Result<SearchResult> search_with(internal::SearchWorker& worker, std::string_view query,
                                   std::size_t k, SearchMethod method) const;
  Result<SearchResult> search_with(internal::SearchWorker& worker, const Topic& topic,
                                   std::size_t k, bool exclude_own) const;

  const Index* index_;
  Bm25Options options_;
  std::shared_ptr<const internal::ScoringModel> scoring_;
};

// Searches for every topic on so many threads. `take` gets each result with its topic's place, by
// the thread that found it: several at once, in no order. Stops at the first failure, of a search
// or of `take`, and returns it.
Status search_each(const Searcher& searcher, std::span<const Topic> topics, std::size_t k,
                   bool exclude_own, std::size_t num_threads, const TakeSearchResult& take);

// The results of all topics, in their order; they do not depend on the number of threads.
Result<std::vector<SearchResult>> search_all(const Searcher& searcher,
                                             std::span<const Topic> topics, std::size_t k,
                                             bool exclude_own, std::size_t num_threads);

// The result as a ranking for a run file, with scores as Anserini writes them: rounded to four
// decimals, and where that makes two equal the later one lowered by 0.000001 a document, so that
// tools which sort by score keep the order. Above 16 so small a step can be lost in the 32-bit
// floats that trec_eval compares, which then orders by docid, descending: Anserini's published
// values (ArguAna's above all, with its twin documents) are those.
Ranking ranking_of(const Index& index, const Topic& topic, const SearchResult& result);

}  // namespace rr
