#pragma once

#include <cstddef>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <unordered_set>
#include <vector>

#include "rr/lm_local/internal/kept_sequence.h"
#include "rr/lm_local/internal/prefix_tree.h"
#include "rr/lm_local/internal/running_request.h"
#include "rr/nn/decoder.h"

namespace rr::internal {

// What one forward() reads, and whose it is.
struct Step {
  std::vector<RunningRequest*> requests;
  std::vector<DecoderChunk> chunks;     // one each, then perhaps one of a prompt that is expected
  std::vector<std::size_t> first_rows;  // of scores, one a request
  std::size_t num_rows = 0;
  std::size_t num_read = 0;      // tokens of prompts, and such as are read again
  std::size_t num_written = 0;   // tokens of completions, drafts included
  std::size_t num_expected = 0;  // tokens of prompts that are expected

  void add(RunningRequest* request, const DecoderChunk& chunk);
  static std::size_t rows_of(const DecoderChunk& chunk);
};

struct SchedulerLimits {
  std::size_t max_sequences;     // requests that run at once
  std::size_t max_batch_tokens;  // tokens of prompts in one step
  std::size_t max_kv_blocks;     // that exist at any time
  bool with_drafts;              // whether tokens of completions may be read that are guessed
};

// Decides who runs and what the next step reads. Has the requests and what is kept of their
// sequences; knows no threads and no time.
//
// Requests run in the order in which they came. One is let in when there is room for what it must
// read first, not for all that it may write: so more run at once, and where room runs out the ones
// that came last are stopped and wait again at the head of the line. What they had read is then
// kept as long as possible, and read again where it was not. The first one is never stopped, so
// everyone gets to the end. Waiting costs nothing: a waiting request has its prompt, and no
// sequence.
//
// A step reads the next token of everyone who writes, and prompts as far as max_batch_tokens go. A
// block of a prompt that another one reads in the same step is left to that one. Where few write,
// drafts of what they write next are read too, as far as a step costs little more by it, looked up
// in their own texts and in the completions that ended last: windows of one topic are spoken of
// alike. A draft never takes memory that another one is stopped for.
class Scheduler {
 public:
  Scheduler(Decoder& decoder, const SchedulerLimits& limits);

  // Puts a request at the end of the line. Requires that it fits alone: blocks_for() of all its
  // tokens is at most max_kv_blocks.
  void add(std::unique_ptr<RunningRequest> request);
  static std::size_t blocks_for(std::size_t tokens);

  // Notes the beginning of a prompt that may come, to be read while there is nothing better to do:
  // when nothing runs, and beside few that write, as far as a step costs no more than reading the
  // weights. Of those noted the last kMaxExpected count.
  void expect(TokenIds beginning);
  static constexpr std::size_t kMaxExpected = 256;

  bool is_idle() const { return waiting_.empty() && running_.empty() && expected_.empty(); }
  std::size_t num_running() const { return running_.size(); }
  std::size_t num_waiting() const { return waiting_.size(); }

  // Takes out those of these that are here.
  std::vector<std::unique_ptr<RunningRequest>> take_out(
      const std::unordered_set<GenerationId>& ids);
  std::vector<std::unique_ptr<RunningRequest>> take_out_all();

  // What to read next; everything it points to stays until the next call of anything here. Requires
  // !is_idle(). Empty where nothing runs and what was expected is there already.
  Step plan();

  // After the step was read and its requests took their scores: keeps what was read, and gives back
  // those that are finished.
  std::vector<std::unique_ptr<RunningRequest>> finish(const Step& step);

  std::size_t num_stopped() const { return num_stopped_; }  // times that room ran out for a request
  const PrefixTree& tree() const { return tree_; }

 private:
  using Line = std::list<std::unique_ptr<RunningRequest>>;

  void admit();
  bool has_room_for(const RunningRequest& request) const;
  bool make_room(std::size_t num_blocks);
  bool make_room_for(Line::iterator request, std::size_t num_tokens);
  void stop_last();
  void plan_requests(Step& step);
  struct DraftShare {
    std::size_t tokens = 0;
    double cost = 0;  // of one, in tokens that could be written meanwhile
  };
  DraftShare share_of_drafts() const;
  std::size_t room_for_draft(const RunningRequest& request, std::size_t wanted);
  void plan_expected(Step& step);
  void recall(const TokenIds& completion);

  Decoder& decoder_;
  SchedulerLimits limits_;
  PrefixTree tree_;
  Line waiting_;
  Line running_;  // in the order in which they came
  struct Expected {
    TokenIds ids;  // whole blocks
    std::optional<KeptSequence> sequence;
  };
  std::deque<Expected> expected_;

  std::deque<TokenIds> completions_;  // that ended last
  std::size_t num_recalled_ = 0;      // tokens of these

  std::size_t num_blocks_due_ = 0;  // that the step being planned will take
  std::size_t num_stopped_ = 0;
};

}  // namespace rr::internal
