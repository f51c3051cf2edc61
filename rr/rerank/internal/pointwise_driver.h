#pragma once

#include "rr/base/result.h"
#include "rr/rerank/internal/topic_dialogue.h"

namespace rr::internal {

// RerankMethod::kPointwise. Requires a generator with a text model. A topic is told to the listener
// as one window over all ranks that the planner's windows have.
Status run_pointwise(RunState& state);

}  // namespace rr::internal
