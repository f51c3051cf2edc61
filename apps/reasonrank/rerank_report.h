#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "apps/reasonrank/rerank_options.h"
#include "rr/base/json.h"
#include "rr/ir/ranking.h"
#include "rr/rerank/session.h"

namespace rr {

// What a run of `rerank` says at its end.
struct RunSummary {
  RerankReport report;           // of all topics
  std::size_t thinking_cut = 0;  // windows whose context left fewer tokens than --max-thinking
  std::size_t resumed = 0;       // topics that an earlier start had finished
  std::size_t ran = 0;           // topics of this start
  double seconds = 0;            // wall time of those, the model loaded
  double topic_seconds = 0;      // sum over them, each from its start to its last answer
  std::size_t ran_prompt_tokens = 0;
  std::size_t ran_completion_tokens = 0;
  std::optional<double> alone_s;
  std::size_t in_flight = 1;
  std::string cut_unit;  // "512 tokens", what passages were cut to
  std::string published;
  std::vector<std::string> notes;
};

// Some lines for standard error, each ended.
std::string format_summary(const RunSummary& summary);

// One line: the settings that change results, "window 20, stride 10, ...".
std::string format_settings(const Json& settings);

// Lines for a person: rank, score, docid and the start of the text, the best `most` of a ranking,
// in `width` columns.
std::string format_table(const Request& request, const Ranking& ranking, std::size_t most,
                         std::size_t width);

// rank, score, docid and text, divided by tabs; white space in the text becomes blanks.
std::string format_tsv(const Request& request, const Ranking& ranking);

}  // namespace rr
