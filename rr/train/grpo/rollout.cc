#include "rr/train/grpo/rollout.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "rr/ranks/record.h"
#include "rr/train/grpo/advantage.h"
#include "rr/train/work_share.h"

namespace rr {
namespace {

// Completions as they come in, from a thread of the generator.
class Inbox {
 public:
  explicit Inbox(std::size_t size) : completions_(size) {}

  GenerationListener listener(std::size_t place) {
    return [this, place](const GenerationEvent& event) {
      if (event.completion == nullptr) return;
      const std::lock_guard lock(mutex_);
      completions_[place] = *event.completion;
      ++num_done_;
      changed_.notify_one();
    };
  }

  // Waits until `count` have ended; false where `stop` was set before.
  bool wait(std::size_t count, const RolloutProgress& on_progress, const std::atomic<bool>& stop) {
    constexpr auto kLook = std::chrono::milliseconds(100);
    std::unique_lock lock(mutex_);
    while (num_done_ < count) {
      if (stop) return false;
      changed_.wait_for(lock, kLook);
      const std::size_t done = num_done_;
      lock.unlock();
      on_progress(done, count);
      lock.lock();
    }
    return true;
  }

  // Waits for the last events, which come for those that were cancelled too.
  void wait_for_all(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return num_done_ == count; });
  }

  std::vector<Completion> take() { return std::move(completions_); }

 private:
  std::mutex mutex_;  // guards the rest
  std::condition_variable changed_;
  std::vector<Completion> completions_;
  std::size_t num_done_ = 0;
};

Rollout rollout_of(Completion&& completion) {
  Rollout rollout;
  rollout.ids = std::move(completion.ids);
  rollout.logprobs = std::move(completion.token_logprobs);
  rollout.text = std::move(completion.text);
  rollout.was_cut = completion.stop == StopReason::kLength;
  if (completion.end) {
    rollout.ids.push_back(completion.end->id);
    rollout.logprobs.push_back(completion.end->logprob);
  }
  return rollout;
}

// What a rank tells the others of what it wrote; rewards and advantages each works out by itself.
void put_group(RecordWriter& writer, std::size_t place, const RolloutGroup& group) {
  writer.put(place);
  writer.put(group.rollouts.size());
  for (const Rollout& rollout : group.rollouts) {
    writer.put_all(rollout.ids);
    writer.put_all(rollout.logprobs);
    writer.put_all(rollout.text);
    writer.put(rollout.was_cut);
  }
}

void get_group(RecordReader& reader, std::span<RolloutGroup> groups) {
  RolloutGroup& group = groups[reader.get<std::size_t>()];
  group.rollouts.resize(reader.get<std::size_t>());
  for (Rollout& rollout : group.rollouts) {
    rollout.ids = reader.get_all<TokenIds>();
    rollout.logprobs = reader.get_all<std::vector<float>>();
    rollout.text = reader.get_all<std::string>();
    rollout.was_cut = reader.get<bool>();
  }
}

// Of this rank alone.
Result<std::optional<std::vector<RolloutGroup>>> write_share(
    Generator& generator, const PromptedTasks& tasks, std::span<const std::size_t> chosen,
    std::size_t step, const RolloutOptions& options, const RolloutProgress& on_progress,
    const std::atomic<bool>& stop) {
  const std::size_t count = chosen.size() * options.group_size;
  Inbox inbox(count);
  std::vector<GenerationId> submitted;
  Status status = ok_status();
  for (std::size_t i = 0; i < count && status.ok(); ++i) {
    const PromptedTask& task = tasks.tasks[chosen[i / options.group_size]];
    GenerationRequest request;
    request.prompt = task.prompt;
    request.stages = {FreeStage{options.max_tokens, {}}};
    request.sampling.temperature = options.temperature;
    request.sampling.seed = options.seed;
    request.label = fmt::format("{}/{}/{}", task.task.qid.str(), step, i % options.group_size);
    const auto id = generator.submit(std::move(request), inbox.listener(i));
    if (id.ok()) {
      submitted.push_back(id.value());
    } else {
      status = id.error();
    }
  }
  const bool is_whole = status.ok() && inbox.wait(count, on_progress, stop);
  if (!is_whole) {
    for (const GenerationId id : submitted) generator.cancel(id);
    inbox.wait_for_all(submitted.size());
    RR_TRY_STATUS(status);
    return std::optional<std::vector<RolloutGroup>>();
  }
  std::vector<RolloutGroup> groups;
  std::vector<Completion> completions = inbox.take();
  for (std::size_t i = 0; i < count; ++i) {
    if (completions[i].error) return *completions[i].error;
    if (i % options.group_size == 0) groups.push_back({chosen[i / options.group_size], {}});
    groups.back().rollouts.push_back(rollout_of(std::move(completions[i])));
  }
  return std::optional(std::move(groups));
}

}  // namespace

bool RolloutGroup::teaches() const {
  return std::any_of(rollouts.begin(), rollouts.end(),
                     [](const Rollout& rollout) { return rollout.advantage != 0; });
}

Result<std::optional<std::vector<RolloutGroup>>> write_rollouts(
    Generator& generator, const PromptedTasks& tasks, std::span<const std::size_t> chosen,
    std::size_t step, const RolloutOptions& options, Ranks& ranks,
    const RolloutProgress& on_progress, const std::atomic<bool>& stop) {
  std::vector<std::size_t> costs;
  for (const std::size_t task : chosen) {
    costs.push_back(tasks.tasks[task].prompt.size() + options.group_size * options.max_tokens);
  }
  const std::vector<std::size_t> places = share_of(ranks, costs);
  std::vector<std::size_t> own_tasks;
  for (const std::size_t place : places) own_tasks.push_back(chosen[place]);
  const auto own = write_share(generator, tasks, own_tasks, step, options, on_progress, stop);
  Result<std::string> record = std::string();  // empty: stopped
  if (!own.ok()) {
    record = own.error();
  } else if (own.value()) {
    RecordWriter writer;
    writer.put(places.size());
    for (std::size_t i = 0; i < places.size(); ++i) put_group(writer, places[i], (*own.value())[i]);
    record = std::move(writer).take();
  }
  RR_TRY(const std::vector<std::string> records, exchange(ranks, std::move(record)));
  std::vector<RolloutGroup> groups;
  for (const std::size_t task : chosen) groups.push_back({task, {}});
  for (const std::string& of_rank : records) {
    if (of_rank.empty()) return std::optional<std::vector<RolloutGroup>>();
    RecordReader reader(of_rank);
    for (auto left = reader.get<std::size_t>(); left > 0; --left) get_group(reader, groups);
  }
  return std::optional(std::move(groups));
}

void judge_rollouts(std::span<RolloutGroup> groups, const PromptedTasks& tasks,
                    const RewardOptions& reward, std::size_t max_tokens,
                    bool divides_by_deviation) {
  for (RolloutGroup& group : groups) {
    const TaskReward judge(tasks.tasks[group.task].task, reward);
    std::vector<double> rewards;
    for (Rollout& rollout : group.rollouts) {
      rollout.reward = judge.of(rollout.text, {rollout.ids.size(), max_tokens});
      rewards.push_back(rollout.reward.total);
    }
    const std::vector<double> advantages = group_advantages(rewards, divides_by_deviation);
    for (std::size_t i = 0; i < advantages.size(); ++i) {
      group.rollouts[i].advantage = advantages[i];
    }
  }
}

}  // namespace rr
