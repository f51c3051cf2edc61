#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/ir/ranking.h"
#include "rr/rerank/driver.h"
#include "rr/rerank/session.h"

namespace rr {

// What a trace keeps of one window. Fields as in docs/formats/trace.md.
struct TraceWindow {
  Window window;
  std::vector<Docid> docids;  // in the order in which the model saw them
  std::string response;       // the whole reply
  std::string thoughts;
  std::string answer;
  std::vector<std::size_t> order;  // identifiers, from 1, best first
  Json repairs = Json::object();   // counts that are not 0
  std::vector<double> logprobs;    // of the choices; empty: not known
  std::size_t prompt_tokens = 0;
  std::size_t cached_tokens = 0;
  std::size_t completion_tokens = 0;
  std::size_t forced_tokens = 0;
  bool budget_spent = false;
  double queued_s = 0;
  double prefill_s = 0;
  double decode_s = 0;
};

struct TraceCandidate {
  Docid docid;
  double score = 0;  // the first stage's
  std::string text;  // as the prompts had it; empty: not known, or in no window
  bool was_cut = false;
};

// One topic's line in a trace.
struct TopicTrace {
  Qid qid;
  std::string query;  // as the prompts had it
  Json settings = Json::object();
  std::vector<TraceCandidate> candidates;  // best first, as the first stage left them
  std::vector<TraceWindow> windows;        // in the order in which they ran
  std::vector<ScoredDocid> ranking;        // the result
  double seconds = 0;
  std::size_t thinking_cut = 0;
  std::size_t windows_left = 0;  // that did not run because the topic's time was up
};

// The line of a topic that is done. settings: what the run was told to do. keep_prompts adds to
// each window the messages that the model got; without them a window's prompt follows from
// template, query and candidates.
Json topic_to_json(const RerankSession& session, const TopicResult& result, const Json& settings,
                   const PromptBuilder* keep_prompts);

// Reads such a line, and a recording of another system: {"qid", "query", "initial": [docids],
// "windows": [{"start", "end", "response"}], "final": [docids]} is enough.
Result<TopicTrace> topic_from_json(const Json& json, const std::string& where);

// All lines of a trace or recording; "-" is standard input. A qid that stands there twice is
// refused.
Result<std::vector<TopicTrace>> read_trace(const std::filesystem::path& path);

// What a trace line says of its windows, for reports of topics that ran before.
RerankReport report_of(const TopicTrace& trace);

}  // namespace rr
