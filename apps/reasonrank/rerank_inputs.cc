#include "apps/reasonrank/rerank_inputs.h"

#include <fmt/core.h>

#include <filesystem>
#include <iterator>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/machine.h"
#include "rr/base/sha256.h"
#include "rr/base/utf8.h"
#include "rr/bm25/searcher.h"
#include "rr/ir/corpus_file.h"
#include "rr/ir/join.h"
#include "rr/ir/own_documents.h"
#include "rr/ir/passages_file.h"
#include "rr/ir/requests_file.h"
#include "rr/ir/run_file.h"
#include "rr/ir/topics_file.h"
#include "rr/rerank/replay.h"
#include "rr/rerank/session.h"

namespace rr {
namespace {

void note(RerankInputs& inputs, std::size_t count, const std::string& what) {
  if (count > 0) inputs.notes.push_back(fmt::format("{} {}", count, what));
}
void note_repairs(RerankInputs& inputs, std::size_t repaired, const std::string& where) {
  note(inputs, repaired, fmt::format("ill-formed UTF-8 sequences in {} replaced", where));
}

Status read_query(const RerankCommandOptions& options, RerankInputs& inputs) {
  const std::vector<std::filesystem::path> paths(options.passages.begin(), options.passages.end());
  RR_TRY(ReadPassages read, read_passages(paths));
  note_repairs(inputs, read.repaired_utf8, "the passages");
  if (read.passages.empty()) {
    return Error{Errc::kMalformed, "expected at least one passage, found none",
                 display_name(paths.front())};
  }
  RepairedUtf8 query = repair_utf8(options.query);
  note_repairs(inputs, query.replaced, "the query");
  Request request{{Qid("query"), std::move(query.text), {}}, std::move(read.passages), {}};
  // There is no first stage: the order of the files stands for one.
  for (std::size_t i = 0; i < request.candidates.size(); ++i) {
    request.scores.push_back(1.0 / static_cast<double>(i + 1));
  }
  inputs.requests.push_back(std::move(request));
  return ok_status();
}

Status read_joined(const RerankCommandOptions& options, RerankInputs& inputs) {
  const std::size_t depth = options.depth.value();
  RR_TRY(const ReadTopics topics, read_topics(options.topics));
  note_repairs(inputs, topics.repaired_utf8, display_name(options.topics));
  RR_TRY(ReadRun run, read_run(options.run, options.blank_docids));
  note(inputs, run.dropped_lines,
       fmt::format("of {} run lines dropped, which have not exactly 6 columns", run.num_lines));
  if (options.first_stage.exclude_own) {
    note(inputs, exclude_own_documents(run.run), "documents left out that are their topic itself");
  }
  RR_TRY(const LoadedPassages corpus,
         load_passages(options.corpus, wanted_docids(topics.topics, run.run, depth)));
  note_repairs(inputs, corpus.repaired_utf8, display_name(options.corpus));
  RR_TRY(JoinedRequests joined, join_requests(topics.topics, run.run, corpus.passages, depth));
  note(inputs, joined.topics_without_ranking, "topics are not in the run and were left out");
  note(inputs, joined.excluded_candidates, "candidates left out that their topics exclude");
  inputs.requests = std::move(joined.requests);
  return ok_status();
}

// The query, or the topics of the file, and what of them had to be repaired.
Result<std::vector<Topic>> read_search_topics(const RerankCommandOptions& options,
                                              RerankInputs& inputs) {
  if (!options.topics.empty()) {
    RR_TRY(ReadTopics read, read_topics(options.topics));
    note_repairs(inputs, read.repaired_utf8, display_name(options.topics));
    return std::move(read.topics);
  }
  RepairedUtf8 query = repair_utf8(options.query);
  note_repairs(inputs, query.replaced, "the query");
  return std::vector<Topic>{{Qid("query"), std::move(query.text), {}}};
}

// What the index finds. A topic that finds nothing is said and left out.
Status search_index(const RerankCommandOptions& options, RerankInputs& inputs) {
  RR_TRY(const std::vector<Topic> topics, read_search_topics(options, inputs));
  RR_TRY(const Index index, Index::open(options.index));
  const FirstStageOptions& first_stage = options.first_stage;
  const Searcher searcher(index, first_stage.bm25);
  RR_TRY(const std::vector<SearchResult> results,
         search_all(searcher, topics, first_stage.k, first_stage.exclude_own, usable_cores()));
  std::vector<std::string> reasons;
  for (const SearchResult& result : results) reasons.push_back(why_nothing_found(result));
  std::vector<std::string> empty = notes_on_empty(topics, reasons);
  for (std::size_t i = 0; i < topics.size(); ++i) {
    if (results[i].hits.empty()) continue;
    RR_TRY(Request request, searcher.request_of(topics[i], results[i]));
    inputs.requests.push_back(std::move(request));
  }
  if (inputs.requests.empty() && !empty.empty()) {
    return Error{Errc::kMalformed, "nothing to rerank: " + empty.front(), options.index};
  }
  std::move(empty.begin(), empty.end(), std::back_inserter(inputs.notes));
  inputs.first_stage = description_of(first_stage);
  inputs.index_identity = index.identity();
  return ok_status();
}

Status read_requests_file(const RerankCommandOptions& options, RerankInputs& inputs) {
  RR_TRY(ReadRequests read, read_requests(options.requests));
  note_repairs(inputs, read.repaired_utf8, display_name(options.requests));
  inputs.requests = std::move(read.requests);
  return ok_status();
}

Status read_recording(const RerankCommandOptions& options, RerankInputs& inputs) {
  RR_TRY(inputs.recorded, read_trace(options.replay));
  const bool has_own_topics =
      !options.query.empty() || !options.topics.empty() || !options.requests.empty();
  if (has_own_topics) return ok_status();
  for (const TopicTrace& topic : inputs.recorded) inputs.requests.push_back(request_of(topic));
  return ok_status();
}

void cut_to_depth(const RerankCommandOptions& options, RerankInputs& inputs) {
  if (!options.depth) return;
  const std::size_t depth = *options.depth;
  std::size_t cut = 0;
  for (Request& request : inputs.requests) {
    if (request.candidates.size() <= depth) continue;
    cut += request.candidates.size() - depth;
    request.candidates.resize(depth);
    request.scores.resize(depth);
  }
  note(inputs, cut, fmt::format("candidates below rank {} left out (--depth)", depth));
}

Status check_requests(const RerankCommandOptions& options, const RerankInputs& inputs) {
  if (inputs.requests.empty()) {
    std::string file = options.requests.empty() ? options.run : options.requests;
    if (!options.index.empty()) file = options.topics;
    return Error{Errc::kMalformed, "expected at least one topic to rerank, found none",
                 display_name(file)};
  }
  for (const Request& request : inputs.requests) {
    if (!request.candidates.empty()) continue;
    return Error{Errc::kMalformed,
                 "expected at least one candidate, found none; take the topic out of the input",
                 fmt::format("topic {}", request.topic.qid.str())};
  }
  return ok_status();
}

std::string digest(const std::vector<Request>& requests) {
  std::string digests;
  for (const Request& request : requests) {
    Json json = {{"qid", request.topic.qid.str()}, {"query", request.topic.query}};
    Json candidates = Json::array();
    for (std::size_t i = 0; i < request.candidates.size(); ++i) {
      const Passage& passage = request.candidates[i];
      candidates.push_back({passage.docid.str(), passage.title, passage.text, request.scores[i]});
    }
    json["candidates"] = std::move(candidates);
    digests += sha256_hex(to_json_line(json));
  }
  return sha256_hex(digests);
}

}  // namespace

Result<RerankInputs> read_rerank_inputs(const RerankCommandOptions& options) {
  RerankInputs inputs;
  if (!options.index.empty()) {
    RR_TRY_STATUS(search_index(options, inputs));
  } else if (!options.query.empty()) {
    RR_TRY_STATUS(read_query(options, inputs));
  } else if (!options.topics.empty()) {
    RR_TRY_STATUS(read_joined(options, inputs));
  }
  if (!options.requests.empty()) RR_TRY_STATUS(read_requests_file(options, inputs));
  if (!options.replay.empty()) RR_TRY_STATUS(read_recording(options, inputs));
  cut_to_depth(options, inputs);
  RR_TRY_STATUS(check_requests(options, inputs));
  if (options.shuffle) {
    for (Request& request : inputs.requests) {
      shuffle_candidates(request, 0, options.loop.rank_end, options.seed);
    }
  }
  inputs.sha256 = digest(inputs.requests);
  return inputs;
}

}  // namespace rr
