#include "rr/ir/check_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/base/wording.h"
#include "rr/ir/corpus_file.h"
#include "rr/ir/id_spelling.h"
#include "rr/ir/internal/columns.h"
#include "rr/ir/internal/read_id.h"
#include "rr/ir/qrels_file.h"
#include "rr/ir/requests_file.h"
#include "rr/ir/run_file.h"
#include "rr/ir/topics_file.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

using Severity = Finding::Severity;
using Docids = std::unordered_set<Docid>;

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Cases of one kind: how many, and the first.
struct Cases {
  std::size_t count = 0;
  std::string first;

  void add(const std::string& text) {
    if (count++ == 0) first = text;
  }
};

struct KnownTopic {
  std::string query;
  Docids excluded;
};

// What BRIGHT's examples say beside the topic.
struct Gold {
  Qid qid;
  std::vector<Docid> documents;
  std::vector<Docid> long_documents;
};

std::string quoted(const Qid& qid) { return fmt::format("\"{}\"", qid.str()); }

std::vector<Docid> docids_in(const Json& record, const char* key) {
  std::vector<Docid> docids;
  const Json* ids = first_field(record, {key});
  if (ids == nullptr || !ids->is_array()) return docids;
  for (const Json& id : *ids) {
    if (id.is_string() && id != "N/A") docids.emplace_back(read_spelling(id.get<std::string>()));
  }
  return docids;
}

// Of the records that have some; the file was read as topics before, so it has no faults.
Result<std::vector<Gold>> read_gold(const fs::path& path) {
  RR_TRY(LineReader reader, LineReader::open(path));
  std::vector<Gold> list;
  for (std::string line;;) {
    RR_TRY(const bool more, reader.next(line));
    if (!more) return list;
    if (!trim(line).starts_with('{')) continue;
    std::size_t repaired = 0;
    RR_TRY(const Json record, parse_record(line, reader.where(), repaired));
    RR_TRY(std::string qid,
           read_json_id(record, {"_id", "id", "qid", "query_id"}, "qid", repaired, reader.where()));
    Gold gold{Qid(std::move(qid)), docids_in(record, "gold_ids"),
              docids_in(record, "gold_ids_long")};
    if (!gold.documents.empty() || !gold.long_documents.empty()) list.push_back(std::move(gold));
  }
}

class DatasetCheck {
 public:
  explicit DatasetCheck(const Dataset& dataset) { report_.name = dataset.name; }

  DatasetReport check(const Dataset& dataset) && {
    for (const fs::path& file : dataset.corpora) check_corpus(file, corpus_);
    for (const fs::path& file : dataset.long_corpora) check_corpus(file, long_corpus_);
    for (const fs::path& file : dataset.topics) check_topics(file);
    for (const fs::path& file : dataset.topics) check_excluded_and_gold(file);
    for (const fs::path& file : dataset.qrels) check_qrels(file);
    check_judged_topics(dataset);
    for (const fs::path& file : dataset.runs) check_run(file);
    for (const fs::path& file : dataset.requests) check_requests(file);
    return std::move(report_);
  }

 private:
  void find(Severity severity, const fs::path& file, const Cases& cases, std::string_view thing,
            std::string_view what) {
    if (cases.count == 0) return;
    report_.findings.push_back(
        {severity, file.string(),
         fmt::format("{} {}, first {}", counted(cases.count, thing), what, cases.first)});
  }
  void find_failure(const Error& error, const fs::path& file) {
    report_.findings.push_back(
        {Severity::kError, error.where.empty() ? file.string() : error.where, error.message});
  }
  void add_file(const fs::path& file, std::string content) {
    report_.files.push_back({file, std::move(content)});
  }

  void check_corpus(const fs::path& file, Docids& docids) {
    Result<CorpusReader> reader = CorpusReader::open(file);
    if (!reader.ok()) return find_failure(reader.error(), file);
    Cases twice;
    Cases empty;
    Cases replaced;
    std::size_t passages = 0;
    std::size_t longest = 0;
    for (Passage passage;;) {
      const Result<bool> more = reader->next(passage);
      if (!more.ok()) return find_failure(more.error(), file);
      if (!more.value()) break;
      ++passages;
      longest = std::max(longest, passage.text.size());
      const auto name = [&] {
        return fmt::format("\"{}\" ({})", passage.docid.str(), reader->where());
      };
      if (!docids.insert(passage.docid).second) twice.add(name());
      if (trim(passage.text).empty() && trim(passage.title).empty()) empty.add(name());
      if (passage.text.find(kReplacement) != std::string::npos) replaced.add(name());
    }
    add_file(file,
             fmt::format("{}, the longest of {} bytes", counted(passages, "passage"), longest));
    find(Severity::kError, file, twice, "docid", "that came before");
    find(Severity::kWarning, file, empty, "passage", "without text");
    find(Severity::kWarning, file, replaced, "passage", "with U+FFFD, the sign of lost characters");
    find_repairs(file, reader->repaired_utf8());
  }

  void find_repairs(const fs::path& file, std::size_t repaired) {
    if (repaired == 0) return;
    report_.findings.push_back({Severity::kWarning, file.string(),
                                counted(repaired, "ill-formed UTF-8 sequence") +
                                    ", read as U+FFFD; fix-text may know what they were"});
  }

  void check_topics(const fs::path& file) {
    const Result<ReadTopics> read = read_topics(file);
    if (!read.ok()) return find_failure(read.error(), file);
    Cases differ;
    std::size_t excluded = 0;
    for (const Topic& topic : read->topics) {
      const Docids of_topic(topic.excluded.begin(), topic.excluded.end());
      excluded += of_topic.size();
      const auto [known, is_new] =
          topics_.try_emplace(topic.qid, KnownTopic{topic.query, of_topic});
      if (is_new) continue;
      if (known->second.query != topic.query) differ.add(quoted(topic.qid));
      known->second.excluded.insert(of_topic.begin(), of_topic.end());
    }
    std::string content = counted(read->topics.size(), "topic");
    if (excluded > 0) content += ", " + counted(excluded, "excluded document");
    add_file(file, std::move(content));
    find(Severity::kWarning, file, differ, "topic", "with another query than in a file before");
    find_repairs(file, read->repaired_utf8);
  }

  void check_excluded_and_gold(const fs::path& file) {
    const auto gold = read_gold(file);
    if (!gold.ok()) return;  // the reader of topics has said so
    Cases missing;
    Cases missing_long;
    Cases excluded;
    for (const Gold& topic : gold.value()) {
      gold_[topic.qid].insert(topic.documents.begin(), topic.documents.end());
      add_missing(topic.qid, topic.documents, corpus_, missing);
      add_missing(topic.qid, topic.long_documents, long_corpus_, missing_long);
      for (const Docid& docid : topic.documents) {
        if (is_excluded(topic.qid, docid)) excluded.add(pair(topic.qid, docid));
      }
    }
    find(Severity::kError, file, missing, "gold document", "that the corpus lacks");
    find(Severity::kError, file, missing_long, "gold document", "that the long corpus lacks");
    find(Severity::kError, file, excluded, "gold document", "that the topic excludes");
  }

  void check_qrels(const fs::path& file) {
    const Result<Qrels> read = read_qrels(file);
    if (!read.ok()) return find_failure(read.error(), file);
    std::size_t judgements = 0;
    int lowest = 0;
    int highest = 0;
    Cases unknown;
    Cases missing;
    Cases excluded;
    Cases irrelevant;
    for (const Qid& qid : sorted_qids(read.value())) {
      const TopicQrels& of_topic = read->at(qid);
      judged_.insert(qid);
      if (!topics_.empty() && !topics_.contains(qid)) unknown.add(quoted(qid));
      bool has_relevant = false;
      for (const auto& [docid, grade] : of_topic) {
        lowest = judgements == 0 ? grade : std::min(lowest, grade);
        highest = judgements == 0 ? grade : std::max(highest, grade);
        ++judgements;
        has_relevant = has_relevant || grade > 0;
        if (grade > 0 && is_excluded(qid, docid)) excluded.add(pair(qid, docid));
        add_missing(qid, {docid}, corpus_, missing);
      }
      if (!has_relevant) irrelevant.add(quoted(qid));
    }
    add_file(file, fmt::format("{} of {}, grades {} to {}", counted(judgements, "judgement"),
                               counted(read->size(), "topic"), lowest, highest));
    find(Severity::kError, file, unknown, "topic", "that no file of topics has");
    find(Severity::kError, file, missing, "judged document", "that the corpus lacks");
    find(Severity::kError, file, excluded, "relevant document", "that the topic excludes");
    find(Severity::kWarning, file, irrelevant, "topic", "without a relevant document");
    check_against_gold(file, read.value());
  }

  // BRIGHT's qrels are the examples' gold documents; versions of both differ.
  void check_against_gold(const fs::path& file, const Qrels& qrels) {
    Cases differ;
    for (const Qid& qid : sorted_qids(qrels)) {
      const auto gold = gold_.find(qid);
      if (gold == gold_.end()) continue;
      Docids relevant;
      for (const auto& [docid, grade] : qrels.at(qid)) {
        if (grade > 0) relevant.insert(docid);
      }
      if (relevant != gold->second) differ.add(quoted(qid));
    }
    find(Severity::kWarning, file, differ, "topic", "with other relevant documents than gold_ids");
  }

  void check_judged_topics(const Dataset& dataset) {
    if (dataset.qrels.empty() || dataset.topics.empty() || judged_.empty()) return;
    Cases unjudged;
    std::vector<Qid> qids;
    for (const auto& [qid, topic] : topics_) qids.push_back(qid);
    std::sort(qids.begin(), qids.end());
    for (const Qid& qid : qids) {
      if (!judged_.contains(qid)) unjudged.add(quoted(qid));
    }
    find(Severity::kWarning, dataset.topics.front(), unjudged, "topic", "without qrels");
  }

  void check_run(const fs::path& file) {
    const Result<ReadRun> read = read_run(file);
    if (!read.ok()) return find_failure(read.error(), file);
    Cases unknown;
    Cases missing;
    Cases excluded;
    std::size_t deepest = 0;
    for (const Ranking& ranking : read->run.rankings) {
      deepest = std::max(deepest, ranking.docs.size());
      if (!topics_.empty() && !topics_.contains(ranking.qid)) {
        unknown.add(quoted(ranking.qid));
      }
      for (const ScoredDocid& doc : ranking.docs) {
        if (is_excluded(ranking.qid, doc.docid)) excluded.add(pair(ranking.qid, doc.docid));
        add_missing(ranking.qid, {doc.docid}, corpus_, missing);
      }
    }
    add_file(file, fmt::format("{} of {}, up to {} deep", counted(read->num_lines, "line"),
                               counted(read->run.rankings.size(), "topic"), deepest));
    find(Severity::kError, file, unknown, "topic", "that no file of topics has");
    find(Severity::kError, file, missing, "document", "that the corpus lacks");
    find(Severity::kError, file, excluded, "document", "that its topic excludes");
  }

  void check_requests(const fs::path& file) {
    const Result<ReadRequests> read = read_requests(file);
    if (!read.ok()) return find_failure(read.error(), file);
    Cases empty;
    std::size_t candidates = 0;
    for (const Request& request : read->requests) {
      for (const Passage& passage : request.candidates) {
        ++candidates;
        if (trim(passage.text).empty()) empty.add(pair(request.topic.qid, passage.docid));
      }
    }
    add_file(file, fmt::format("{} with {}", counted(read->requests.size(), "request"),
                               counted(candidates, "candidate")));
    find(Severity::kWarning, file, empty, "candidate", "without text");
    find_repairs(file, read->repaired_utf8);
  }

  static std::vector<Qid> sorted_qids(const Qrels& qrels) {
    std::vector<Qid> qids;
    for (const auto& [qid, judgements] : qrels) qids.push_back(qid);
    std::sort(qids.begin(), qids.end());
    return qids;
  }

  static std::string pair(const Qid& qid, const Docid& docid) {
    return fmt::format("\"{}\" of topic \"{}\"", docid.str(), qid.str());
  }

  static void add_missing(const Qid& qid, const std::vector<Docid>& docids, const Docids& corpus,
                          Cases& missing) {
    if (corpus.empty()) return;
    for (const Docid& docid : docids) {
      if (!corpus.contains(docid)) missing.add(pair(qid, docid));
    }
  }

  bool is_excluded(const Qid& qid, const Docid& docid) const {
    const auto topic = topics_.find(qid);
    return topic != topics_.end() && topic->second.excluded.contains(docid);
  }

  DatasetReport report_;
  Docids corpus_;       // empty: there is none to compare with
  Docids long_corpus_;  // the same
  std::unordered_map<Qid, KnownTopic> topics_;
  std::unordered_map<Qid, Docids> gold_;
  std::unordered_set<Qid> judged_;
};

}  // namespace

DatasetReport check_dataset(const Dataset& dataset) { return DatasetCheck(dataset).check(dataset); }

}  // namespace rr
