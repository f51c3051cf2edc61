#include "rr/lm_llama/internal/sequence_table.h"

#include <algorithm>
#include <span>
#include <utility>

#include "rr/base/check.h"

namespace rr::internal {
namespace {

// Waiting for an earlier request costs steps; it must save the reading of this many tokens.
constexpr std::size_t kWorthWaiting = 32;

std::size_t common_beginning(std::span<const TokenId> a, std::span<const TokenId> b) {
  const std::size_t most = std::min(a.size(), b.size());
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first -
      a.begin());
}

}  // namespace

SequenceTable::SequenceTable(llama_memory_t memory, const Limits& limits)
    : memory_(memory), limits_(limits) {
  RR_CHECK(limits.max_running >= 1 && limits.max_sequences >= limits.max_running,
           "a number for each that runs");
  for (auto id = static_cast<llama_seq_id>(limits.max_sequences); id-- > 0;) {
    free_ids_.push_back(id);
  }
}

std::size_t SequenceTable::reserved() const {
  std::size_t tokens = 0;
  for (const LlamaSequence& sequence : running_) tokens += sequence.task->most_tokens();
  return tokens;
}

void SequenceTable::admit() {
  while (!waiting_.empty() && running_.size() < limits_.max_running) {
    const bool fits = reserved() + waiting_.front()->most_tokens() <= limits_.max_tokens;
    if (!fits && !running_.empty()) return;
    if (free_ids_.empty()) forget_one();
    RR_CHECK(!free_ids_.empty(), "there are more numbers than requests that run");
    LlamaSequence& sequence = running_.emplace_back();
    sequence.id = free_ids_.back();
    free_ids_.pop_back();
    sequence.task = std::move(waiting_.front());
    waiting_.pop_front();
    sequence.task->start();
  }
}

bool SequenceTable::begin(LlamaSequence& sequence) {
  if (!sequence.read.empty() || !limits_.shares) return true;
  const TokenIds& prompt = sequence.task->prompt();
  const std::span<const TokenId> wanted = std::span(prompt).first(prompt.size() - 1);
  const LlamaSequence* best = nullptr;
  std::size_t most = 0;
  const auto consider = [&](const LlamaSequence& other) {
    const std::size_t size = common_beginning(other.read, wanted);
    if (size <= most) return;
    best = &other;
    most = size;
  };
  for (const LlamaSequence& other : kept_) consider(other);
  std::size_t coming = 0;
  for (const LlamaSequence& other : running_) {
    if (&other == &sequence) break;
    consider(other);
    coming = std::max(coming, common_beginning(other.task->prompt(), wanted));
  }
  if (coming >= most + kWorthWaiting) return false;
  if (most == 0) return true;
  llama_memory_seq_cp(memory_, best->id, sequence.id, 0, static_cast<llama_pos>(most));
  sequence.read.assign(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(most));
  sequence.num_cached = most;
  return true;
}

bool SequenceTable::forget_one() {
  if (kept_.empty()) return false;
  llama_memory_seq_rm(memory_, kept_.front().id, -1, -1);
  free_ids_.push_back(kept_.front().id);
  kept_.pop_front();
  return true;
}

// Keeps what was read, where others could use it.
void SequenceTable::release(LlamaSequence& sequence) {
  if (!limits_.shares || sequence.task->has_failed() || sequence.read.empty()) {
    llama_memory_seq_rm(memory_, sequence.id, -1, -1);
    free_ids_.push_back(sequence.id);
    return;
  }
  LlamaSequence& kept = kept_.emplace_back();
  kept.id = sequence.id;
  kept.read = std::move(sequence.read);
}

template <typename Predicate>
std::vector<LlamaSequence> SequenceTable::take_running(Predicate is_wanted) {
  std::vector<LlamaSequence> taken;
  std::erase_if(running_, [&](LlamaSequence& sequence) {
    if (!is_wanted(sequence)) return false;
    release(sequence);
    taken.push_back(std::move(sequence));
    return true;
  });
  return taken;
}

std::vector<LlamaSequence> SequenceTable::take_finished() {
  return take_running([](const LlamaSequence& sequence) { return sequence.is_finished(); });
}

std::vector<LlamaSequence> SequenceTable::take_out(const std::unordered_set<GenerationId>& ids) {
  std::vector<LlamaSequence> taken = take_running(
      [&](const LlamaSequence& sequence) { return ids.contains(sequence.task->id()); });
  std::erase_if(waiting_, [&](std::unique_ptr<GenerationTask>& task) {
    if (!ids.contains(task->id())) return false;
    taken.emplace_back().task = std::move(task);
    return true;
  });
  return taken;
}

std::vector<LlamaSequence> SequenceTable::take_out_all() {
  std::vector<LlamaSequence> taken = take_running([](const LlamaSequence&) { return true; });
  for (std::unique_ptr<GenerationTask>& task : waiting_) {
    taken.emplace_back().task = std::move(task);
  }
  waiting_.clear();
  return taken;
}

}  // namespace rr::internal
