#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/lm/generator.h"
#include "rr/ranks/ranks.h"
#include "rr/train/grpo/reward.h"
#include "rr/train/ranking/prompted_tasks.h"

namespace rr {

// A reply that the model wrote to a task, as it wrote it.
struct Rollout {
  TokenIds ids;                 // the end token too, where the model wrote one; never empty
  std::vector<float> logprobs;  // of ids, under the model that wrote them
  std::string text;
  bool was_cut = false;  // it reached max_tokens
  Reward reward;
  double advantage = 0;
};

// The rollouts of one task.
struct RolloutGroup {
  std::size_t task = 0;  // in PromptedTasks::tasks
  std::vector<Rollout> rollouts;

  // Whether some rollout was better than another.
  bool teaches() const;
};

struct RolloutOptions {
  std::size_t group_size = 8;
  std::size_t max_tokens = 3072;  // of a reply
  double temperature = 1;         // or 0: greedy, to validate
  std::uint64_t seed = 42;
};

// Hears how many replies of this rank are done, and how many it writes.
using RolloutProgress = std::function<void(std::size_t done, std::size_t total)>;

// Writes group_size replies to each of the tasks named by `chosen`, at once, in the order of
// `chosen`. What is drawn depends on the seed, `step`, the task's qid and the reply's number. The
// ranks share the tasks by what they may cost, and each gets all replies: those that one would have
// written. nullopt where `stop` was set on one of them before all were written. Fails where a
// generator does.
Result<std::optional<std::vector<RolloutGroup>>> write_rollouts(
    Generator& generator, const PromptedTasks& tasks, std::span<const std::size_t> chosen,
    std::size_t step, const RolloutOptions& options, Ranks& ranks,
    const RolloutProgress& on_progress, const std::atomic<bool>& stop);

// Rewards the rollouts and weighs them against their group (advantage.h).
void judge_rollouts(std::span<RolloutGroup> groups, const PromptedTasks& tasks,
                    const RewardOptions& reward, std::size_t max_tokens, bool divides_by_deviation);

}  // namespace rr
