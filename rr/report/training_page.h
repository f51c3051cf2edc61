#pragma once

#include <vector>

#include "rr/report/page.h"
#include "rr/report/training_log.h"

namespace rr {

// The page of one or several runs of training: where each stands and its settings, a chart for each
// number that metrics.jsonl holds, numbers of each metric, and sample replies. The runs share
// charts; of one run, what belongs together does. A long run's points are summarised (the chart
// says how), so that a page stays small. Requires at least one run.
Page training_page(const std::vector<TrainingLog>& runs);

}  // namespace rr
