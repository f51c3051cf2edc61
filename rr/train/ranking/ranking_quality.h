#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/lm/generator.h"
#include "rr/ranks/ranks.h"
#include "rr/train/grpo/reward.h"
#include "rr/train/grpo/rollout.h"
#include "rr/train/ranking/prompted_tasks.h"

namespace rr {

// How well a model ranks tasks that it does not learn from: greedily and without a constraint, its
// answers read and repaired as `rerank --free-answer` does.
struct RankingQuality {
  double ndcg = 0;             // mean nDCG@10 of the windows
  double valid = 0;            // share of answers that are full permutations
  double thinking_tokens = 0;  // mean
};

// The numbers as metrics.jsonl has them, added to a line of it.
void add_to_metrics(const RankingQuality& quality, Json& line);

// `on_sample` hears of the first `num_samples` tasks' replies, as lines of samples.jsonl without
// their step. The ranks share the tasks, and each hears all. nullopt where `stop` was set before
// all were written. Requires a generator with a text model.
Result<std::optional<RankingQuality>> measure_quality(
    Generator& generator, const PromptedTasks& tasks, const RewardOptions& reward,
    std::size_t max_tokens, std::size_t num_samples, Ranks& ranks,
    const std::function<Status(Json sample)>& on_sample, const std::atomic<bool>& stop);

}  // namespace rr
