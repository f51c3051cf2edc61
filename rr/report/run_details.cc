#include "rr/report/run_details.h"

#include <algorithm>
#include <unordered_map>

namespace rr {
namespace {

std::vector<RelevantDocument> relevant_documents(const TopicQrels& qrels, int relevant_from) {
  std::vector<RelevantDocument> documents;
  for (const auto& [docid, grade] : qrels) {
    if (grade >= relevant_from) documents.push_back({docid, grade, 0});
  }
  std::sort(documents.begin(), documents.end(),
            [](const auto& a, const auto& b) { return a.docid < b.docid; });
  return documents;
}

// Requires documents by docid.
void note_ranks(const std::vector<Docid>& ranking, std::vector<RelevantDocument>& documents) {
  for (std::size_t i = 0; i < ranking.size(); ++i) {
    const auto found = std::lower_bound(documents.begin(), documents.end(), ranking[i],
                                        [](const RelevantDocument& document, const Docid& docid) {
                                          return document.docid < docid;
                                        });
    if (found != documents.end() && found->docid == ranking[i]) found->rank = i + 1;
  }
}

std::vector<Docid> docids_as_trec_eval(Ranking ranking) {
  sort_as_trec_eval(ranking);
  std::vector<Docid> docids;
  docids.reserve(ranking.docs.size());
  for (ScoredDocid& doc : ranking.docs) docids.push_back(std::move(doc.docid));
  return docids;
}

}  // namespace

RunDetails details_of(const Run& run, const Qrels& qrels, int relevant_from) {
  std::unordered_map<Qid, const Ranking*> rankings;
  for (const Ranking& ranking : run.rankings) rankings.emplace(ranking.qid, &ranking);
  RunDetails details;
  for (const auto& [qid, judgements] : qrels) {
    TopicDetails topic{qid, {}, relevant_documents(judgements, relevant_from)};
    if (const auto found = rankings.find(qid); found != rankings.end()) {
      const std::vector<Docid> ranking = docids_as_trec_eval(*found->second);
      note_ranks(ranking, topic.relevant);
      topic.precision = interpolated_precision(judge(ranking, judgements), relevant_from);
    }
    details.push_back(std::move(topic));
  }
  std::sort(details.begin(), details.end(),
            [](const auto& a, const auto& b) { return a.qid < b.qid; });
  return details;
}

}  // namespace rr
