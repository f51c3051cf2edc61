#include "rr/lm_llama/internal/sequence_table.h"

#include <algorithm>
#include <span>
#include <utility>

#include "rr/base/check.h"

namespace rr::internal {
namespace {

// What of a prompt may be there already: all but the token whose scores begin the completion.
std::span<const TokenId> sharable(const TokenIds& prompt) {
  return std::span(prompt).first(prompt.size() - 1);
}

std::size_t common_beginning(std::span<const TokenId> a, std::span<const TokenId> b) {
  const std::size_t most = std::min(a.size(), b.size());
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first -
      a.begin());
}

}  // namespace

SequenceTable::SequenceTable(llama_memory_t memory, const Limits& limits)
    : memory_(memory), limits_(limits) {
  RR_CHECK(limits.max_sequences >= 1, "at least one request runs");
  for (std::size_t id = 0; id < limits.max_sequences; ++id) {
    idle_.emplace_back().id = static_cast<llama_seq_id>(id);
  }
}

void SequenceTable::cut(LlamaSequence& sequence, std::size_t size) {
  llama_memory_seq_rm(memory_, sequence.id, static_cast<llama_pos>(size), -1);
  sequence.read.resize(size);
}

std::list<LlamaSequence>::iterator SequenceTable::best_idle(const TokenIds& prompt) {
  return std::max_element(idle_.begin(), idle_.end(), [&](const auto& a, const auto& b) {
    return common_beginning(a.read, sharable(prompt)) < common_beginning(b.read, sharable(prompt));
  });
}

void SequenceTable::admit() {
  while (!waiting_.empty() && !idle_.empty()) {
    const TokenIds& prompt = waiting_.front()->prompt();
    const auto best = limits_.shares ? best_idle(prompt) : idle_.begin();
    const std::size_t common = limits_.shares ? common_beginning(best->read, sharable(prompt)) : 0;
    cut(*best, common);
    best->num_cached = common;
    best->task = std::move(waiting_.front());
    waiting_.pop_front();
    best->task->start();
    running_.splice(running_.end(), idle_, best);
  }
}

bool SequenceTable::begin(LlamaSequence& sequence) {
  if (sequence.has_begun() || !limits_.shares) return true;
  const std::span<const TokenId> wanted = sharable(sequence.task->prompt());
  const LlamaSequence* best = nullptr;
  std::size_t there = 0;   // tokens that the best one has read
  std::size_t coming = 0;  // tokens that one of them will have read
  for (const LlamaSequence& other : running_) {
    if (&other == &sequence) break;
    const std::size_t common = common_beginning(other.read, wanted);
    if (common > there) best = &other;
    there = std::max(there, common);
    coming = std::max(coming, common_beginning(other.task->prompt(), wanted));
  }
  const std::size_t least = sequence.read.size() + limits_.worth_copying;
  if (coming >= least && coming >= there + limits_.worth_copying) return false;
  if (best == nullptr || there < least) return true;
  llama_memory_seq_rm(memory_, sequence.id, -1, -1);
  llama_memory_seq_cp(memory_, best->id, sequence.id, -1, -1);  // whole: only that can be copied
  sequence.read = best->read;
  cut(sequence, there);
  sequence.num_cached = there;
  return true;
}

template <typename Predicate>
std::vector<LlamaSequence> SequenceTable::take_running(Predicate is_wanted) {
  std::vector<LlamaSequence> taken;
  std::erase_if(running_, [&](LlamaSequence& sequence) {
    if (!is_wanted(sequence)) return false;
    // What a failed one has read may not be what it should have.
    if (sequence.task->has_failed()) cut(sequence, 0);
    LlamaSequence& idle = idle_.emplace_back();
    idle.id = sequence.id;
    idle.read = std::move(sequence.read);
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
