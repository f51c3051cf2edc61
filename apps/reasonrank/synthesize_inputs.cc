#include "apps/reasonrank/synthesize_inputs.h"

#include <fmt/core.h>

#include <algorithm>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/sha256.h"
#include "rr/bm25/searcher.h"
#include "rr/ir/corpus_file.h"
#include "rr/ir/join.h"
#include "rr/ir/qrels_file.h"
#include "rr/ir/run_file.h"
#include "rr/rerank/training_data.h"

namespace rr {
namespace {

using Retrieved = std::unordered_map<Qid, std::vector<Passage>>;

void note(SynthesizeInputs& inputs, std::size_t count, const std::string& what) {
  if (count > 0) inputs.notes.push_back(fmt::format("{} {}", count, what));
}

std::vector<Topic> plain_topics(const std::vector<SourceTopic>& topics) {
  std::vector<Topic> plain;
  for (const SourceTopic& topic : topics) plain.push_back(topic.topic);
  return plain;
}

Result<Retrieved> retrieved_by_run(const SynthesizeInputOptions& options, std::size_t depth,
                                   const std::vector<Topic>& topics, SynthesizeInputs& inputs) {
  RR_TRY(ReadRun read, read_run(options.run));
  // A run of all topics serves for the first few of them too.
  std::unordered_set<Qid> known;
  for (const Topic& topic : topics) known.insert(topic.qid);
  std::erase_if(read.run.rankings,
                [&](const Ranking& ranking) { return !known.contains(ranking.qid); });
  RR_TRY(const LoadedPassages corpus,
         load_passages(options.corpus, wanted_docids(topics, read.run, depth)));
  RR_TRY(JoinedRequests joined, join_requests(topics, read.run, corpus.passages, depth));
  note(inputs, joined.topics_without_ranking, "topics are not in the run");
  Retrieved retrieved;
  for (Request& request : joined.requests) {
    retrieved.emplace(request.topic.qid, std::move(request.candidates));
  }
  return retrieved;
}

Result<Retrieved> retrieved_by_index(const Index& index, std::size_t depth,
                                     const std::vector<Topic>& topics) {
  const Searcher searcher(index);
  const std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
  RR_TRY(const std::vector<SearchResult> results,
         search_all(searcher, topics, depth, false, threads));
  Retrieved retrieved;
  for (std::size_t i = 0; i < topics.size(); ++i) {
    RR_TRY(Request request, searcher.request_of(topics[i], results[i]));
    retrieved.emplace(topics[i].qid, std::move(request.candidates));
  }
  return retrieved;
}

// The linked documents: of the corpus file, or of the index.
Result<Passages> linked_documents(const SynthesizeInputOptions& options, const Index* index,
                                  const std::vector<SourceTopic>& topics) {
  std::unordered_set<Docid> wanted;
  for (const SourceTopic& topic : topics) wanted.insert(topic.links.begin(), topic.links.end());
  if (!options.corpus.empty()) {
    RR_TRY(LoadedPassages loaded, load_passages(options.corpus, wanted));
    return std::move(loaded.passages);
  }
  Passages passages;
  for (const Docid& docid : wanted) {
    const auto doc = index->find(docid.str());
    if (!doc) continue;
    RR_TRY(Passage passage, index->passage(*doc));
    passages.emplace(docid, std::move(passage));
  }
  return passages;
}

Status check_topics(const SynthesizeInputOptions& options, const std::vector<SourceTopic>& topics) {
  if (topics.empty()) {
    return Error{Errc::kMalformed, "expected at least one topic, found none",
                 display_name(options.topics)};
  }
  for (const SourceTopic& topic : topics) {
    if (!teacher_labels(options.domain) || !topic.answer.empty()) continue;
    return Error{
        Errc::kMalformed,
        fmt::format("topic \"{}\" has no \"answer\" or \"solution\"; the teacher of domain "
                    "{} labels with the gold answer at hand",
                    topic.topic.qid.str(), domain_name(options.domain)),
        display_name(options.topics)};
  }
  return ok_status();
}

// Puts each topic's candidates and labels beside it.
Status join_candidates(const SynthesizeInputOptions& options, std::vector<SourceTopic> topics,
                       Retrieved retrieved, const Passages& linked, Qrels qrels,
                       SynthesizeInputs& inputs) {
  std::size_t links = 0;
  std::size_t absent = 0;
  for (SourceTopic& topic : topics) {
    SynthesisInput input;
    if (const auto found = retrieved.find(topic.topic.qid); found != retrieved.end()) {
      input.candidates.retrieved = std::move(found->second);
    }
    for (const Docid& docid : topic.links) {
      ++links;
      const auto document = linked.find(docid);
      if (document == linked.end()) {
        ++absent;
      } else {
        input.candidates.linked.push_back(document->second);
      }
    }
    if (const auto labels = qrels.find(topic.topic.qid); labels != qrels.end()) {
      input.labels = std::move(labels->second);
    }
    input.topic = std::move(topic);
    inputs.topics.push_back(std::move(input));
  }
  note(inputs, absent, "linked documents are not in the corpus");
  if (options.domain == Domain::kComplexQa && links == absent) {
    return Error{Errc::kMalformed,
                 "expected topics with \"links\" to documents of the corpus, found none; positives "
                 "of complex-qa are chosen among linked documents",
                 display_name(options.topics)};
  }
  return ok_status();
}

std::string digest(const std::vector<SynthesisInput>& topics) {
  std::string digests;
  for (const SynthesisInput& input : topics) {
    Json json = {{"qid", input.topic.topic.qid.str()},
                 {"dataset", input.topic.dataset},
                 {"query", input.topic.topic.query},
                 {"answer", input.topic.answer},
                 {"linked", passages_to_json(input.candidates.linked)},
                 {"retrieved", passages_to_json(input.candidates.retrieved)}};
    std::vector<std::pair<Docid, int>> labels(input.labels.begin(), input.labels.end());
    std::sort(labels.begin(), labels.end());
    for (const auto& [docid, grade] : labels) json["labels"][docid.str()] = grade;
    digests += sha256_hex(to_json_line(json));
  }
  return sha256_hex(digests);
}

}  // namespace

std::size_t default_depth(Domain domain) {
  constexpr std::size_t kSearched = 10;
  constexpr std::size_t kWebDepth = 20;
  constexpr std::size_t kProblemDepth = 40;
  if (domain == Domain::kComplexQa) return kSearched;
  return domain == Domain::kWeb ? kWebDepth : kProblemDepth;
}

Result<SynthesizeInputs> read_synthesize_inputs(const SynthesizeInputOptions& options) {
  SynthesizeInputs inputs;
  const std::string dataset =
      options.dataset.empty() ? domain_name(options.domain) : options.dataset;
  RR_TRY(ReadSourceTopics read, read_source_topics(options.topics, dataset));
  note(inputs, read.repaired_utf8, "ill-formed UTF-8 sequences in the topics replaced");
  if (options.first > 0 && read.topics.size() > options.first) read.topics.resize(options.first);
  RR_TRY_STATUS(check_topics(options, read.topics));

  const std::size_t depth = options.depth.value_or(default_depth(options.domain));
  const std::vector<Topic> topics = plain_topics(read.topics);
  std::optional<Index> index;
  if (!options.index.empty()) {
    RR_TRY(index, Index::open(options.index));
  }
  Retrieved retrieved;
  if (index) {
    RR_TRY(retrieved, retrieved_by_index(*index, depth, topics));
  } else if (!options.run.empty()) {
    RR_TRY(retrieved, retrieved_by_run(options, depth, topics, inputs));
  }
  Passages linked;
  if (options.domain == Domain::kComplexQa) {
    RR_TRY(linked, linked_documents(options, index ? &*index : nullptr, read.topics));
  }
  Qrels qrels;
  if (!options.qrels.empty()) {
    RR_TRY(qrels, read_qrels(options.qrels));
  }
  RR_TRY_STATUS(join_candidates(options, std::move(read.topics), std::move(retrieved), linked,
                                std::move(qrels), inputs));
  inputs.sha256 = digest(inputs.topics);
  return inputs;
}

}  // namespace rr
