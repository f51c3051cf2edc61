// Rewards a second, one thread: replies of 1,500 bytes about windows of 20 passages.

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <string>
#include <vector>

#include "rr/base/random.h"
#include "rr/train/grpo/reward.h"

namespace rr {
namespace {

constexpr std::size_t kPassages = 20;

RankingTask some_task() {
  RankingTask task;
  for (std::size_t i = 0; i < kPassages; ++i) {
    const Docid docid(fmt::format("d{}", i));
    task.passages.push_back({docid, "", "text"});
    task.final_list.push_back(docid);
    if (i % 7 == 0) task.grades[docid] = 1;
  }
  return task;
}

std::vector<std::string> some_replies() {
  std::vector<std::string> replies;
  RandomStream random(1, 1);
  for (std::size_t i = 0; i < 64; ++i) {
    std::vector<std::size_t> order;
    for (std::size_t p = 1; p <= kPassages; ++p) order.push_back(p);
    shuffle(order, random);
    std::string answer;
    for (const std::size_t p : order)
      answer += fmt::format("{}[{}]", answer.empty() ? "" : " > ", p);
    std::string thoughts;
    while (thoughts.size() < 1400) thoughts += "Passage [7] answers the question, [3] does not. ";
    replies.push_back(fmt::format("<think>{}</think>\n<answer>{}</answer>", thoughts, answer));
  }
  return replies;
}

void reward_bench(benchmark::State& state, const RewardOptions& options) {
  const TaskReward reward(some_task(), options);
  const std::vector<std::string> replies = some_replies();
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(reward.of(replies[i++ % replies.size()]));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(reward_bench, strict, RewardOptions());
BENCHMARK_CAPTURE(reward_bench, published, published_reward());

}  // namespace
}  // namespace rr
