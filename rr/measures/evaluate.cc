#include "rr/measures/evaluate.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/quick_hash.h"
#include "rr/measures/judged_ranking.h"

namespace rr {
namespace {

using RankingOfTopic = std::unordered_map<std::string_view, const Ranking*>;

// Those that are not empty, of topics that `qrels` knows.
RankingOfTopic rankings_of(const Run& run, const Qrels& qrels) {
  RankingOfTopic rankings;
  for (const Ranking& ranking : run.rankings) {
    if (!qrels.contains(ranking.qid) || ranking.docs.empty()) continue;
    rankings.emplace(ranking.qid.str(), &ranking);
  }
  return rankings;
}

// nullptr: none.
const Ranking* ranking_of(const RankingOfTopic& rankings, const Qid& qid) {
  const auto found = rankings.find(qid.str());
  return found == rankings.end() ? nullptr : found->second;
}

// Calls visit(document) for each of its documents in trec_eval's order, in which most runs are
// already.
template <typename Visit>
void visit_in_order(const Ranking& ranking, const Visit& visit) {
  if (std::is_sorted(ranking.docs.begin(), ranking.docs.end(), is_before_in_trec_eval)) {
    for (const ScoredDocid& doc : ranking.docs) visit(doc);
    return;
  }
  std::vector<const ScoredDocid*> docs;
  docs.reserve(ranking.docs.size());
  for (const ScoredDocid& doc : ranking.docs) docs.push_back(&doc);
  std::sort(docs.begin(), docs.end(), [](const ScoredDocid* a, const ScoredDocid* b) {
    return is_before_in_trec_eval(*a, *b);
  });
  for (const ScoredDocid* doc : docs) visit(*doc);
}

// A topic's grades by docid, to be asked for thousands of documents that mostly are not there.
class GradeTable {
 public:
  explicit GradeTable(const TopicQrels& qrels) : entries_(std::bit_ceil(2 * qrels.size() + 1)) {
    for (const auto& [docid, grade] : qrels) {
      const std::uint64_t hash = quick_hash(docid.str());
      std::size_t place = hash & mask();
      while (entries_[place].docid != nullptr) place = (place + 1) & mask();
      entries_[place] = {hash, &docid, grade};
    }
  }

  // kUnjudged: none.
  int grade_of(const Docid& docid) const {
    const std::uint64_t hash = quick_hash(docid.str());
    for (std::size_t place = hash & mask();; place = (place + 1) & mask()) {
      const Entry& entry = entries_[place];
      if (entry.docid == nullptr) return kUnjudged;
      if (entry.hash == hash && *entry.docid == docid) return entry.grade;
    }
  }

 private:
  struct Entry {
    std::uint64_t hash = 0;
    const Docid* docid = nullptr;  // an empty place
    int grade = 0;
  };

  std::size_t mask() const { return entries_.size() - 1; }

  std::vector<Entry> entries_;  // at most half of them taken
};

JudgedRanking judged(const Ranking& ranking, const TopicQrels& qrels) {
  const GradeTable grades(qrels);
  JudgedRanking judged;
  judged.grades.reserve(ranking.docs.size());
  visit_in_order(ranking, [&](const ScoredDocid& doc) {
    judged.grades.push_back(grades.grade_of(doc.docid));
  });
  judged.judgements = sorted_grades(qrels);
  return judged;
}

std::vector<Docid> docids_in_order(const Ranking* ranking) {
  std::vector<Docid> docids;
  if (ranking == nullptr) return docids;
  visit_in_order(*ranking, [&](const ScoredDocid& doc) { docids.push_back(doc.docid); });
  return docids;
}

std::vector<double> values_of(std::span<const Measure> measures, const Ranking& ranking,
                              const TopicQrels& qrels, const Ranking* reference) {
  const JudgedRanking judged_ranking = judged(ranking, qrels);
  std::vector<double> values;
  for (const Measure& measure : measures) {
    values.push_back(
        measure.kind == Measure::Kind::kRbo
            ? rbo_value_of(measure, docids_in_order(&ranking), docids_in_order(reference))
            : value_of(measure, judged_ranking));
  }
  return values;
}

std::vector<Qid> sorted_qids(const Qrels& qrels) {
  std::vector<Qid> qids;
  qids.reserve(qrels.size());
  for (const auto& [qid, judgements] : qrels) qids.push_back(qid);
  std::sort(qids.begin(), qids.end());
  return qids;
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
  const bool needs_reference = std::any_of(measures.begin(), measures.end(), [](const Measure& m) {
    return m.kind == Measure::Kind::kRbo;
  });
  RR_CHECK(!needs_reference || reference != nullptr, "RBO compares with another run");
  const RankingOfTopic rankings = rankings_of(run, qrels);
  const RankingOfTopic references =
      needs_reference ? rankings_of(*reference, qrels) : RankingOfTopic();
  Evaluation evaluation;
  for (const Ranking& ranking : run.rankings) {
    if (!qrels.contains(ranking.qid)) ++evaluation.only_in_run;
  }
  for (const Qid& qid : sorted_qids(qrels)) {
    const Ranking* ranking = ranking_of(rankings, qid);
    if (ranking == nullptr) ++evaluation.only_in_qrels;
    if (ranking != nullptr) {
      evaluation.topics.push_back(
          {qid, values_of(measures, *ranking, qrels.at(qid), ranking_of(references, qid))});
    } else if (missing == MissingTopics::kZero) {
      evaluation.topics.push_back({qid, std::vector<double>(measures.size(), 0.0)});
    }
  }
  evaluation.means = means_of(evaluation.topics, measures.size());
  return evaluation;
}

}  // namespace rr
