#include "rr/ir/join.h"

#include <fmt/core.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "rr/base/check.h"

namespace rr {
namespace {

using TopicsByQid = std::unordered_map<Qid, const Topic*>;

TopicsByQid by_qid(const std::vector<Topic>& topics) {
  TopicsByQid map;
  for (const Topic& topic : topics) map.emplace(topic.qid, &topic);
  return map;
}

struct Candidates {
  std::vector<const ScoredDocid*> docs;
  std::size_t excluded = 0;  // met before `depth` candidates were found
};

Candidates candidates_of(const Ranking& ranking, const Topic& topic, std::size_t depth) {
  RR_CHECK(depth >= 1, "a depth is at least 1");
  const std::unordered_set<Docid> excluded(topic.excluded.begin(), topic.excluded.end());
  Candidates candidates;
  for (const ScoredDocid& doc : ranking.docs) {
    if (candidates.docs.size() == depth) break;
    if (excluded.contains(doc.docid)) {
      ++candidates.excluded;
    } else {
      candidates.docs.push_back(&doc);
    }
  }
  return candidates;
}

Result<Request> make_request(const Topic& topic, const Candidates& candidates,
                             const Passages& passages) {
  Request request{.topic = topic, .candidates = {}, .scores = {}};
  for (const ScoredDocid* doc : candidates.docs) {
    const auto passage = passages.find(doc->docid);
    if (passage == passages.end()) {
      return Error{Errc::kNotFound,
                   fmt::format("the run names document \"{}\" for topic \"{}\", and the corpus "
                               "lacks it; do the two belong together?",
                               doc->docid.str(), topic.qid.str()),
                   ""};
    }
    request.candidates.push_back(passage->second);
    request.scores.push_back(doc->score);
  }
  return request;
}

}  // namespace

std::unordered_set<Docid> wanted_docids(const std::vector<Topic>& topics, const Run& run,
                                        std::size_t depth) {
  const TopicsByQid known = by_qid(topics);
  std::unordered_set<Docid> wanted;
  for (const Ranking& ranking : run.rankings) {
    const auto topic = known.find(ranking.qid);
    if (topic == known.end()) continue;  // join_requests refuses it
    for (const ScoredDocid* doc : candidates_of(ranking, *topic->second, depth).docs) {
      wanted.insert(doc->docid);
    }
  }
  return wanted;
}

Result<JoinedRequests> join_requests(const std::vector<Topic>& topics, const Run& run,
                                     const Passages& passages, std::size_t depth) {
  const TopicsByQid known = by_qid(topics);
  JoinedRequests joined;
  for (const Ranking& ranking : run.rankings) {
    const auto topic = known.find(ranking.qid);
    if (topic == known.end()) {
      return Error{Errc::kNotFound,
                   fmt::format("the run ranks topic \"{}\", and the topics lack it; do the two "
                               "belong together?",
                               ranking.qid.str()),
                   ""};
    }
    const Candidates candidates = candidates_of(ranking, *topic->second, depth);
    RR_TRY(Request request, make_request(*topic->second, candidates, passages));
    joined.requests.push_back(std::move(request));
    joined.excluded_candidates += candidates.excluded;
  }
  joined.topics_without_ranking = known.size() - joined.requests.size();
  return joined;
}

}  // namespace rr
