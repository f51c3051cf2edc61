#include "rr/bm25/searcher.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/thread_pool.h"
#include "rr/bm25/analyzer.h"
#include "rr/bm25/internal/index_files.h"
#include "rr/bm25/internal/query_model.h"
#include "rr/bm25/internal/retrieval.h"
#include "rr/bm25/internal/small_float.h"

namespace rr {

// What a thread keeps from query to query.
class internal::SearchWorker {
 public:
  EnglishAnalyzer& analyzer() {
    constexpr std::size_t kMostBytes = 16 << 20;
    if (analyzer_.memory_bytes() > kMostBytes) analyzer_.forget();
    return analyzer_;
  }
  Retrieval& retrieval() { return retrieval_; }

 private:
  EnglishAnalyzer analyzer_;
  Retrieval retrieval_;
};

namespace {

// As Lucene's BM25Similarity fills its table, operation by operation; but finite where k1 is 0, so
// that a frequency of 0 gives nothing there either.
std::vector<float> inverse_norms(const Bm25Options& options, float mean_length) {
  std::vector<float> norms;
  for (int code = 0; code < 256; ++code) {
    const auto length =
        static_cast<float>(internal::byte_to_length(static_cast<std::uint8_t>(code)));
    const float norm = options.k1 * ((1 - options.b) + options.b * length / mean_length);
    norms.push_back(std::min(1.0F / norm, std::numeric_limits<float>::max()));
  }
  return norms;
}

}  // namespace

std::string why_nothing_found(const SearchResult& result) {
  if (!result.hits.empty()) return "";
  if (result.num_terms == 0) return "the query has only stop words or no words";
  if (result.unknown_terms == result.num_terms) return "no passage has a word of the query";
  return "every passage found is excluded";
}

Searcher::Searcher(const Index& index, const Bm25Options& options)
    : index_(&index),
      options_(options),
      scoring_(std::make_shared<internal::ScoringModel>(
          index.files(), inverse_norms(options, internal::mean_length(index.statistics())))) {
  RR_CHECK(std::isfinite(options.k1) && options.k1 >= 0, "k1 is finite and not negative");
  RR_CHECK(options.b >= 0 && options.b <= 1, "b is in [0, 1]");
}

Result<SearchResult> Searcher::search_with(internal::SearchWorker& worker, std::string_view query,
                                           std::size_t k, SearchMethod method) const {
  const internal::QueryModel model =
      internal::query_model(index_->files(), options_, query, worker.analyzer());
  SearchResult result;
  result.unknown_terms = model.unknown_terms;
  result.num_terms = model.terms.size() + model.unknown_terms;
  if (model.terms.empty() || k == 0) return result;
  RR_TRY(result.hits, worker.retrieval().run(*scoring_, model, k, method));
  return result;
}

Result<SearchResult> Searcher::search_with(internal::SearchWorker& worker, const Topic& topic,
                                           std::size_t k, bool exclude_own) const {
  std::unordered_set<std::string_view> excluded;
  for (const Docid& docid : topic.excluded) excluded.insert(docid.str());
  if (exclude_own) excluded.insert(topic.qid.str());
  RR_TRY(SearchResult result,
         search_with(worker, topic.query, k + excluded.size(), SearchMethod::kPruned));
  if (!excluded.empty()) {
    std::erase_if(result.hits,
                  [&](const Hit& hit) { return excluded.contains(index_->docid(hit.doc)); });
  }
  if (result.hits.size() > k) result.hits.resize(k);
  return result;
}

Result<SearchResult> Searcher::search(std::string_view query, std::size_t k,
                                      SearchMethod method) const {
  internal::SearchWorker worker;
  return search_with(worker, query, k, method);
}

Result<SearchResult> Searcher::search(const Topic& topic, std::size_t k, bool exclude_own) const {
  internal::SearchWorker worker;
  return search_with(worker, topic, k, exclude_own);
}

Result<Request> Searcher::request_of(const Topic& topic, const SearchResult& result) const {
  Request request{topic, {}, {}};
  for (const Hit& hit : result.hits) {
    RR_TRY(Passage passage, index_->passage(hit.doc));
    request.candidates.push_back(std::move(passage));
    request.scores.push_back(static_cast<double>(hit.score));
  }
  return request;
}

Status search_each(const Searcher& searcher, std::span<const Topic> topics, std::size_t k,
                   bool exclude_own, std::size_t num_threads, const TakeSearchResult& take) {
  std::mutex failure_mutex;
  Status failure = ok_status();
  std::atomic<std::size_t> next = 0;
  ThreadPool pool(num_threads);
  pool.run(num_threads, [&](std::size_t) {
    internal::SearchWorker worker;
    for (std::size_t i; (i = next++) < topics.size();) {
      auto result = searcher.search_with(worker, topics[i], k, exclude_own);
      const Status status = result.ok() ? take(i, std::move(result).value()) : result.error();
      if (status.ok()) continue;
      next = topics.size();
      const std::lock_guard lock(failure_mutex);
      if (failure.ok()) failure = status;
    }
  });
  return failure;
}

Result<std::vector<SearchResult>> search_all(const Searcher& searcher,
                                             std::span<const Topic> topics, std::size_t k,
                                             bool exclude_own, std::size_t num_threads) {
  std::vector<SearchResult> results(topics.size());
  RR_TRY_STATUS(search_each(searcher, topics, k, exclude_own, num_threads,
                            [&results](std::size_t topic, SearchResult result) {
                              results[topic] = std::move(result);
                              return ok_status();
                            }));
  return results;
}

Ranking ranking_of(const Index& index, const Topic& topic, const SearchResult& result) {
  Ranking ranking{topic.qid, {}};
  double tied = 0;  // the rounded score of the document before
  double num_ties = 0;
  for (const Hit& hit : result.hits) {
    const double rounded = std::round(static_cast<double>(hit.score) * 1e4) / 1e4;
    num_ties = !ranking.docs.empty() && rounded == tied ? num_ties + 1 : 0;
    tied = rounded;
    const double score = std::round((rounded - num_ties * 1e-6) * 1e6) / 1e6;
    ranking.docs.push_back({Docid(std::string(index.docid(hit.doc))), score});
  }
  return ranking;
}

}  // namespace rr
