#pragma once

#include <string>
#include <vector>

#include "apps/reasonrank/rerank_options.h"
#include "rr/base/result.h"
#include "rr/ir/ranking.h"
#include "rr/rerank/trace.h"

namespace rr {

struct RerankInputs {
  std::vector<Request> requests;     // each with at least one candidate
  std::vector<TopicTrace> recorded;  // with --replay
  std::vector<std::string> notes;    // what was repaired or left out, for the report
  std::string sha256;                // of the requests
  std::string first_stage;           // what found them, with --index; else empty
  std::string index_identity;        // of that index
};

// Reads what the options name, cuts it to --depth and shuffles it where asked to. Requires settled
// options.
Result<RerankInputs> read_rerank_inputs(const RerankCommandOptions& options);

}  // namespace rr
