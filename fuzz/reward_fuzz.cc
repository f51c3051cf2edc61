// Any reply gets a reward: finite, within its bounds, the same as before; a strictly right one is
// right by the published rule too.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "rr/base/check.h"
#include "rr/train/grpo/reward.h"

namespace {

rr::RankingTask task_of(std::size_t size) {
  rr::RankingTask task;
  for (std::size_t i = 0; i < size; ++i) {
    const rr::Docid docid(std::string(1, static_cast<char>('a' + i)));
    task.passages.push_back({docid, "", "text"});
    task.final_list.push_back(docid);
    task.grades[docid] = i % 3 == 0 ? 1 : 0;
  }
  return task;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const rr::TaskReward strict(task_of(5), {});
  static const rr::TaskReward published(task_of(5), rr::published_reward());
  const std::string_view reply(static_cast<const char*>(static_cast<const void*>(data)), size);
  const rr::Reward by_strict = strict.of(reply);
  const rr::Reward by_published = published.of(reply);
  for (const rr::Reward& reward : {by_strict, by_published}) {
    RR_CHECK(std::isfinite(reward.total) && reward.total >= -1 && reward.total <= 1.3 + 1e-12,
             "a reward is within its bounds");
  }
  if (by_strict.format == rr::RewardFormat::kRight) {
    RR_CHECK(by_published.format == rr::RewardFormat::kRight &&
                 std::abs(by_published.ndcg - by_strict.ndcg) < 1e-12,
             "a strictly right answer is right by the published rule, and as good");
  }
  return 0;
}
