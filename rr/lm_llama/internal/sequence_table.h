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

// A sequence in llama.cpp's memory, and whose it is.
struct LlamaSequence {
  llama_seq_id id = 0;
  TokenIds read;                         // the tokens in memory
  std::unique_ptr<GenerationTask> task;  // nullptr: it is kept, for others that begin alike
  std::size_t num_cached = 0;            // tokens of the prompt that were taken from another one

  bool reads_prompt() const { return read.size() < task->prompt().size(); }
  bool is_finished() const {
    return task->has_failed() || (task->is_complete() && read.size() >= task->num_to_read());
  }
};

// Which sequence of llama.cpp's memory holds what, and who waits for one.
//
// Requests run in the order in which they came. One is let in when there is room for all that it
// and those that run may write, so that everyone gets to the end. What an ended one has read is
// kept until its number or its room is wanted, the one that ended first going first.
class SequenceTable {
 public:
  struct Limits {
    std::size_t max_running;
    std::size_t max_sequences;  // numbers, of running and kept ones: more than max_running
    std::size_t max_tokens;     // in memory
    bool shares;                // whether a sequence may begin as a copy of another one's beginning
  };
  // The memory must outlive it.
  SequenceTable(llama_memory_t memory, const Limits& limits);

  bool is_idle() const { return waiting_.empty() && running_.empty(); }
  std::list<LlamaSequence>& running() { return running_; }

  // Puts a request at the end of the line. Requires that its most_tokens() fit alone.
  void add(std::unique_ptr<GenerationTask> task) { waiting_.push_back(std::move(task)); }

  // Lets in who has room.
  void admit();

  // Whether this running sequence may be read now: where nothing of it has been, what others have
  // read of its prompt is taken first, all but its last token; and where an earlier one is about to
  // read more of the same, it is better to wait.
  bool begin(LlamaSequence& sequence);

  // Forgets the kept sequence that ended first; false: there is none.
  bool forget_one();

  // Takes out those that are finished, or of these ids, or all; what they have read is kept. Those
  // that wait come with an empty sequence.
  std::vector<LlamaSequence> take_finished();
  std::vector<LlamaSequence> take_out(const std::unordered_set<GenerationId>& ids);
  std::vector<LlamaSequence> take_out_all();

 private:
  template <typename Predicate>
  std::vector<LlamaSequence> take_running(Predicate is_wanted);
  void release(LlamaSequence& sequence);
  std::size_t reserved() const;

  llama_memory_t memory_;
  Limits limits_;
  std::deque<std::unique_ptr<GenerationTask>> waiting_;
  std::list<LlamaSequence> running_;  // in the order in which they came
  std::deque<LlamaSequence> kept_;    // the one that ended first in front
  std::vector<llama_seq_id> free_ids_;
};

}  // namespace rr::internal
