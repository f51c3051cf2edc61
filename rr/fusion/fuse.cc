#include "rr/fusion/fuse.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "rr/base/check.h"

namespace rr {
namespace {

// A run's part in one topic.
struct Part {
  Ranking ranking;  // in trec_eval's order
  double weight;
};

// What the run adds to each of its documents, weighted, and to those that it lacks.
struct Contributions {
  std::vector<double> of_docs;
  double of_absent = 0;
};

Contributions reciprocal_ranks(const Part& part, double rrf_k) {
  Contributions contributions;
  for (std::size_t i = 0; i < part.ranking.docs.size(); ++i) {
    contributions.of_docs.push_back(part.weight / (rrf_k + static_cast<double>(i + 1)));
  }
  return contributions;
}

Contributions weighted_scores(const Part& part, const FusionOptions& options) {
  Contributions contributions{normalized_scores(part.ranking, options.normalization)};
  std::vector<double>& scores = contributions.of_docs;
  if (options.absent == AbsentScore::kLowest) {
    contributions.of_absent = part.weight * *std::min_element(scores.begin(), scores.end());
  }
  for (double& score : scores) score *= part.weight;
  return contributions;
}

Contributions contributions_of(const Part& part, const FusionOptions& options) {
  return options.method == FusionMethod::kReciprocalRank ? reciprocal_ranks(part, options.rrf_k)
                                                         : weighted_scores(part, options);
}

// Sums over the parts so far. A document that a part lacks gets that part's score for absent ones,
// whether it came before the part or comes after it.
class Sums {
 public:
  void add(const Part& part, const Contributions& contributions) {
    for (auto& [docid, sum] : sums_) sum += contributions.of_absent;
    for (std::size_t i = 0; i < part.ranking.docs.size(); ++i) {
      const auto [entry, is_new] = sums_.try_emplace(part.ranking.docs[i].docid, absent_so_far_);
      entry->second += contributions.of_docs[i] - (is_new ? 0 : contributions.of_absent);
    }
    absent_so_far_ += contributions.of_absent;
  }

  std::vector<ScoredDocid> docs() && {
    std::vector<ScoredDocid> docs;
    docs.reserve(sums_.size());
    for (auto& [docid, sum] : sums_) docs.push_back({docid, sum});
    return docs;
  }

 private:
  std::unordered_map<Docid, double> sums_;
  double absent_so_far_ = 0;
};

Ranking fuse_topic(const Qid& qid, const std::vector<Part>& parts, const FusionOptions& options) {
  Sums sums;
  for (const Part& part : parts) sums.add(part, contributions_of(part, options));
  Ranking fused{qid, std::move(sums).docs()};
  sort_as_trec_eval(fused);
  if (fused.docs.size() > options.depth) fused.docs.resize(options.depth);
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

Run fuse(std::span<const Run> runs, const FusionOptions& options) {
  check(runs, options);
  std::vector<Qid> qids;
  std::unordered_map<Qid, std::vector<std::pair<std::size_t, const Ranking*>>> rankings;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (const Ranking& ranking : runs[i].rankings) {
      if (ranking.docs.empty()) continue;
      auto& of_topic = rankings[ranking.qid];
      if (of_topic.empty()) qids.push_back(ranking.qid);
      of_topic.emplace_back(i, &ranking);
    }
  }
  Run fused;
  for (const Qid& qid : qids) {
    std::vector<Part> parts;
    for (const auto& [run, ranking] : rankings.at(qid)) {
      parts.push_back({*ranking, options.weights.empty() ? 1.0 : options.weights[run]});
      sort_as_trec_eval(parts.back().ranking);
    }
    fused.rankings.push_back(fuse_topic(qid, parts, options));
  }
  return fused;
}

}  // namespace rr
