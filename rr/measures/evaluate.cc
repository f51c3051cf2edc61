#include "rr/measures/evaluate.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "rr/base/check.h"
#include "rr/measures/rbo.h"

namespace rr {
namespace {

using DocidsOfTopic = std::unordered_map<Qid, std::vector<Docid>>;

std::vector<Docid> docids_in_order(Ranking ranking) {
  sort_as_trec_eval(ranking);
  std::vector<Docid> docids;
  docids.reserve(ranking.docs.size());
  for (ScoredDocid& doc : ranking.docs) docids.push_back(std::move(doc.docid));
  return docids;
}

// Of those topics that `qrels` knows.
DocidsOfTopic docids_of(const Run& run, const Qrels& qrels) {
  DocidsOfTopic docids;
  for (const Ranking& ranking : run.rankings) {
    if (!qrels.contains(ranking.qid) || ranking.docs.empty()) continue;
    docids.emplace(ranking.qid, docids_in_order(ranking));
  }
  return docids;
}

std::vector<Qid> sorted_qids(const Qrels& qrels) {
  std::vector<Qid> qids;
  qids.reserve(qrels.size());
  for (const auto& [qid, judgements] : qrels) qids.push_back(qid);
  std::sort(qids.begin(), qids.end());
  return qids;
}

std::span<const Docid> ranking_of(const DocidsOfTopic& docids, const Qid& qid) {
  const auto found = docids.find(qid);
  return found == docids.end() ? std::span<const Docid>() : std::span<const Docid>(found->second);
}

// Means over topics, summed in their order.
std::vector<double> means_of(const std::vector<TopicValues>& topics, std::size_t num_measures) {
  std::vector<double> means(num_measures, 0.0);
  for (const TopicValues& topic : topics) {
    for (std::size_t i = 0; i < num_measures; ++i) means[i] += topic.values[i];
  }
  if (topics.empty()) return means;
  for (double& mean : means) mean /= static_cast<double>(topics.size());
  return means;
}

}  // namespace

Evaluation evaluate_run(const Run& run, const Qrels& qrels, std::span<const Measure> measures,
                        MissingTopics missing, const Run* reference) {
  const DocidsOfTopic docids = docids_of(run, qrels);
  const DocidsOfTopic reference_docids =
      reference == nullptr ? DocidsOfTopic() : docids_of(*reference, qrels);
  Evaluation evaluation;
  for (const Ranking& ranking : run.rankings) {
    if (!qrels.contains(ranking.qid)) ++evaluation.only_in_run;
  }
  for (const Qid& qid : sorted_qids(qrels)) {
    const bool is_ranked = docids.contains(qid);
    if (!is_ranked) ++evaluation.only_in_qrels;
    if (!is_ranked && missing == MissingTopics::kAbsent) continue;
    TopicValues topic{qid, {}};
    const std::span<const Docid> ranking = ranking_of(docids, qid);
    for (const Measure& measure : measures) {
      if (!is_ranked) {
        topic.values.push_back(0);
      } else if (measure.kind == Measure::Kind::kRbo) {
        RR_CHECK(reference != nullptr, "RBO compares with another run");
        topic.values.push_back(extrapolated_rbo_at(measure.cutoff, measure.persistence, ranking,
                                                   ranking_of(reference_docids, qid)));
      } else {
        topic.values.push_back(value_of(measure, ranking, qrels.at(qid)));
      }
    }
    evaluation.topics.push_back(std::move(topic));
  }
  evaluation.means = means_of(evaluation.topics, measures.size());
  return evaluation;
}

}  // namespace rr
