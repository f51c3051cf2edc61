#include "rr/fusion/internal/fused_topic.h"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <utility>

#include "rr/base/check.h"

namespace rr {
namespace {

std::vector<double> reciprocal_ranks(std::size_t count, double rrf_k) {
  std::vector<double> values;
  values.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    values.push_back(1 / (rrf_k + static_cast<double>(i + 1)));
  }
  return values;
}

// What the run adds to each of its documents, and to those that it lacks.
struct Contributions {
  std::vector<double> of_docs;
  double of_absent = 0;
};

// Of a ranking in trec_eval's order.
Contributions contributions_of(const Ranking& ranking, const FusionOptions& options) {
  if (options.method == FusionMethod::kReciprocalRank) {
    return {reciprocal_ranks(ranking.docs.size(), options.rrf_k)};
  }
  Contributions contributions{normalized_scores(ranking, options.normalization)};
  if (options.absent == AbsentScore::kLowest) {
    contributions.of_absent =
        *std::min_element(contributions.of_docs.begin(), contributions.of_docs.end());
  }
  return contributions;
}

std::vector<Docid> docids_of(std::span<const Ranking* const> rankings) {
  std::vector<Docid> docids;
  for (const Ranking* ranking : rankings) {
    if (ranking == nullptr) continue;
    for (const ScoredDocid& doc : ranking->docs) docids.push_back(doc.docid);
  }
  std::sort(docids.begin(), docids.end(), std::greater<>());
  docids.erase(std::unique(docids.begin(), docids.end()), docids.end());
  return docids;
}

}  // namespace

FusedTopic prepare_topic(std::span<const Ranking* const> rankings, const FusionOptions& options) {
  FusedTopic topic{docids_of(rankings), {}};
  std::unordered_map<std::string_view, std::size_t> index;
  index.reserve(topic.docids.size());
  for (std::size_t i = 0; i < topic.docids.size(); ++i) index.emplace(topic.docids[i].str(), i);
  for (const Ranking* ranking : rankings) {
    std::vector<double>& column = topic.columns.emplace_back(topic.docids.size(), 0.0);
    if (ranking == nullptr || ranking->docs.empty()) continue;
    Ranking sorted = *ranking;
    sort_as_trec_eval(sorted);
    const Contributions contributions = contributions_of(sorted, options);
    std::fill(column.begin(), column.end(), contributions.of_absent);
    for (std::size_t i = 0; i < sorted.docs.size(); ++i) {
      column[index.at(sorted.docs[i].docid.str())] = contributions.of_docs[i];
    }
  }
  return topic;
}

std::vector<WeightedDocument> weighted_order(const FusedTopic& topic,
                                             std::span<const double> weights, std::size_t depth) {
  RR_CHECK(weights.size() == topic.columns.size(), "fusion needs one weight for each run");
  std::vector<WeightedDocument> order;
  order.reserve(topic.docids.size());
  for (std::size_t i = 0; i < topic.docids.size(); ++i) order.push_back({i, 0});
  for (std::size_t run = 0; run < weights.size(); ++run) {
    const std::vector<double>& column = topic.columns[run];
    for (WeightedDocument& document : order) {
      document.score += weights[run] * column[document.document];
    }
  }
  // The order of is_before_in_trec_eval: the docids descend, so the smaller index goes first.
  const auto is_before = [](const WeightedDocument& a, const WeightedDocument& b) {
    const auto score_a = static_cast<float>(a.score);
    const auto score_b = static_cast<float>(b.score);
    return score_a != score_b ? score_a > score_b : a.document < b.document;
  };
  const auto kept = static_cast<std::ptrdiff_t>(std::min(depth, order.size()));
  std::partial_sort(order.begin(), order.begin() + kept, order.end(), is_before);
  order.resize(static_cast<std::size_t>(kept));
  return order;
}

}  // namespace rr
