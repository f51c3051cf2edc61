#pragma once

#include <llama.h>

#include <cstddef>
#include <deque>
#include <list>
#include <memory>
#include <unordered_set>
#include <vector>

#include "rr/lm/generation_task.h"

namespace rr::internal {

// A sequence in llama.cpp's memory, which has room of its own, and whose it is.
struct LlamaSequence {
  llama_seq_id id = 0;
  TokenIds read;                         // the tokens in memory
  std::unique_ptr<GenerationTask> task;  // nullptr: it is idle, and others may begin as it did
  std::size_t num_cached = 0;            // tokens of the prompt that were there and not read

  bool has_begun() const { return read.size() > num_cached; }
  bool reads_prompt() const { return read.size() < task->prompt().size(); }
  bool is_finished() const {
    return task->has_failed() || (task->is_complete() && read.size() >= task->num_to_read());
  }
};

// Which sequence of llama.cpp's memory holds what, and who waits for one. Requests run in the order
// in which they came. What an ended one has read stays until its sequence is wanted.
class SequenceTable {
 public:
  struct Limits {
    std::size_t max_sequences;
    bool shares;                    // whether a sequence can be cut and copied; else each reads all
    std::size_t worth_copying = 1;  // tokens whose reading takes longer than to copy a sequence
  };
  // The memory must outlive it; every sequence of it has room for any request.
  SequenceTable(llama_memory_t memory, const Limits& limits);

  bool is_idle() const { return waiting_.empty() && running_.empty(); }
  std::list<LlamaSequence>& running() { return running_; }

  // Puts a request at the end of the line.
  void add(std::unique_ptr<GenerationTask> task) { waiting_.push_back(std::move(task)); }

  // Lets in as many as there are idle sequences: each takes the one that has most of its prompt
  // already, of equals the one that ended first.
  void admit();

  // Whether this running sequence may be read now. Where an earlier one has read more of the same
  // prompt it is copied first; where one is about to, it is better to wait.
  bool begin(LlamaSequence& sequence);

  // Takes out those that are finished, or of these ids, or all. Those that waited come with an
  // empty sequence.
  std::vector<LlamaSequence> take_finished();
  std::vector<LlamaSequence> take_out(const std::unordered_set<GenerationId>& ids);
  std::vector<LlamaSequence> take_out_all();

 private:
  template <typename Predicate>
  std::vector<LlamaSequence> take_running(Predicate is_wanted);
  std::list<LlamaSequence>::iterator best_idle(const TokenIds& prompt);
  void cut(LlamaSequence& sequence, std::size_t size);

  llama_memory_t memory_;
  Limits limits_;
  std::deque<std::unique_ptr<GenerationTask>> waiting_;
  std::list<LlamaSequence> running_;  // in the order in which they came
  std::list<LlamaSequence> idle_;     // the one that ended first in front
};

}  // namespace rr::internal
