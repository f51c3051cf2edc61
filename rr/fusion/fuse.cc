#include "rr/fusion/fuse.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "rr/base/check.h"
#include "rr/fusion/internal/fused_topic.h"

namespace rr {
namespace {

Ranking fuse_topic(const Qid& qid, std::span<const Ranking* const> rankings,
                   std::span<const double> weights, const FusionOptions& options) {
  FusedTopic topic = prepare_topic(rankings, options);
  Ranking fused{qid, {}};
  for (const WeightedDocument& document : weighted_order(topic, weights, options.depth)) {
    fused.docs.push_back({std::move(topic.docids[document.document]), document.score});
  }
  return fused;
}

void check(std::span<const Run> runs, const FusionOptions& options) {
  RR_CHECK(options.weights.empty() || options.weights.size() == runs.size(),
           "fusion needs one weight for each run");
  RR_CHECK(std::all_of(options.weights.begin(), options.weights.end(),
                       [](double weight) { return std::isfinite(weight); }),
           "a weight is a finite number");
  RR_CHECK(options.rrf_k >= 0, "reciprocal rank fusion needs a k of at least 0");
  RR_CHECK(options.depth >= 1, "a fused ranking keeps at least one document");
}

}  // namespace

std::vector<TopicRankings> rankings_by_topic(std::span<const Run> runs) {
  std::vector<TopicRankings> topics;
  std::unordered_map<std::string_view, std::size_t> index;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (const Ranking& ranking : runs[i].rankings) {
      if (ranking.docs.empty()) continue;
      const auto [entry, is_new] = index.try_emplace(ranking.qid.str(), topics.size());
      if (is_new) topics.push_back({ranking.qid, std::vector<const Ranking*>(runs.size())});
      topics[entry->second].rankings[i] = &ranking;
    }
  }
  return topics;
}

Run fuse(std::span<const Run> runs, const FusionOptions& options) {
  check(runs, options);
  const std::vector<double> weights =
      options.weights.empty() ? std::vector<double>(runs.size(), 1.0) : options.weights;
  Run fused;
  for (const TopicRankings& topic : rankings_by_topic(runs)) {
    fused.rankings.push_back(fuse_topic(topic.qid, topic.rankings, weights, options));
  }
  return fused;
}

}  // namespace rr
