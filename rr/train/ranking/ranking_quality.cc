#include "rr/train/ranking/ranking_quality.h"

#include <numeric>
#include <vector>

#include "rr/measures/ndcg.h"
#include "rr/rerank/permutation.h"

namespace rr {
namespace {

constexpr std::size_t kCutoff = 10;

double ndcg_of(const ParsedPermutation& parsed, const RankingTask& task) {
  std::vector<Docid> ranking;
  for (const std::size_t position : parsed.order) ranking.push_back(task.passages[position].docid);
  return ndcg_at(kCutoff, ranking, task.grades);
}

Json sample_of(const RankingTask& task, const Rollout& reply) {
  return {{"qid", task.qid.str()},        {"query", task.query},
          {"reply", reply.text},          {"tokens", reply.ids.size()},
          {"reward", reply.reward.total}, {"format", reward_format_name(reply.reward.format)},
          {"ndcg", reply.reward.ndcg},    {"recall", reply.reward.recall},
          {"rbo", reply.reward.overlap}};
}

}  // namespace

void add_to_metrics(const RankingQuality& quality, Json& line) {
  line["validation_ndcg"] = quality.ndcg;
  line["validation_valid"] = quality.valid;
  line["validation_thinking_tokens"] = quality.thinking_tokens;
}

Result<std::optional<RankingQuality>> measure_quality(
    Generator& generator, const PromptedTasks& tasks, const RewardOptions& reward,
    std::size_t max_tokens, std::size_t num_samples, Ranks& ranks,
    const std::function<Status(Json sample)>& on_sample, const std::atomic<bool>& stop) {
  RolloutOptions greedy;
  greedy.group_size = 1;
  greedy.temperature = 0;
  greedy.max_tokens = max_tokens;
  std::vector<std::size_t> all(tasks.tasks.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  RR_TRY(auto groups,
         write_rollouts(
             generator, tasks, all, 0, greedy, ranks, [](std::size_t, std::size_t) {}, stop));
  if (!groups) return std::optional<RankingQuality>();
  judge_rollouts(*groups, tasks, reward, max_tokens, true);
  RankingQuality quality;
  const auto count = static_cast<double>(groups->size());
  for (std::size_t i = 0; i < groups->size(); ++i) {
    const RankingTask& task = tasks.tasks[i].task;
    const Rollout& reply = (*groups)[i].rollouts[0];
    const ParsedPermutation parsed =
        parse_permutation(reply.text, task.passages.size(), {reward.format});
    const ReplyParts parts = split_reply(reply.text, reward.format);
    const TokenIds thoughts = generator.text_model()->tokenizer->encode(parts.thoughts);
    quality.ndcg += ndcg_of(parsed, task) / count;
    quality.valid += parsed.is_complete() ? 1 / count : 0;
    quality.thinking_tokens += static_cast<double>(thoughts.size()) / count;
    if (i < num_samples) RR_TRY_STATUS(on_sample(sample_of(task, reply)));
  }
  return std::optional(quality);
}

}  // namespace rr
