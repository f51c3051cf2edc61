#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "rr/lm/generation_task.h"
#include "rr/lm_local/internal/drafter.h"
#include "rr/lm_local/internal/kept_sequence.h"
#include "rr/nn/decoder.h"

namespace rr::internal {

// One request on its way. Its prompt is read first; then the completion, whose tokens are read as
// soon as they are written: chosen ones one at a time, forced ones together.
//
// Behind the last token written a draft of the next ones may be read, a guess. The scores then
// decide token by token as they would without it; from the first token on that came to be another
// one, what was read of the draft is forgotten.
//
// A request may be stopped and started again: it then reads once more what it had read, and goes on
// as if nothing had been. Not thread-safe; several requests may take() at once.
class RunningRequest {
 public:
  explicit RunningRequest(std::unique_ptr<GenerationTask> task) : task_(std::move(task)) {}

  GenerationId id() const { return task_->id(); }
  bool reads_prompt() const { return num_seen_ < task_->prompt().size(); }
  std::size_t num_written() const { return written_ids().size(); }
  std::size_t num_forced() const { return task_->num_forced(); }
  std::size_t num_tokens() const { return task_->num_tokens(); }
  std::size_t num_cached() const { return num_cached_; }

  // Forced and cached tokens since it was asked last.
  std::size_t newly_forced() {
    return num_forced() - std::exchange(num_forced_told_, num_forced());
  }
  std::size_t newly_cached() { return num_cached_ - std::exchange(num_cached_told_, num_cached_); }

  const TokenIds& written_ids() const { return task_->written(); }

  // Other texts that drafts may come from; they must outlive the last next_chunk().
  void look_in(const std::deque<TokenIds>& earlier) { drafter_.look_in(earlier); }

  // Before the first next_chunk(), and again after stop().
  void start(KeptSequence sequence);

  // Lets go of the sequence.
  void stop();

  std::size_t length() const {
    return sequence_->length();
  }  // tokens in the sequence; requires start()

  // Takes from the tree what it has of the tokens that come next. What the request still needs
  // scores of is left to be read.
  void take_kept();

  // The block that it reads next, where it could come from the tree.
  std::optional<KeptSequence::BlockToRead> block_to_read() const;

  // Puts the blocks that were filled since the last time into the tree, unless it has failed.
  void keep();

  // The most that one step may read of it; tokens and scores >= 1.
  struct ChunkLimits {
    std::size_t tokens;   // of a prompt, or of what is read again
    std::size_t scores;   // tokens of the completion, each of which gets a row of scores
    std::size_t drafted;  // of these, such as are a guess
    double draft_cost;    // of one of them, in tokens that could be written meanwhile
  };
  // What to read next. It points into this object and holds until take(), stop() or the next call.
  // Requires !is_finished().
  DecoderChunk next_chunk(const ChunkLimits& limits);

  // Of the chunk that came last.
  struct Draft {
    std::size_t num_tokens = 0;
    double cost = 0;            // of a token
    std::size_t num_right = 0;  // set by take()
  };
  const Draft& draft() const { return draft_; }

  // What forward() said of that chunk: rows of `row_size` scores, as many as it asked for.
  void take(std::span<const float> scores, std::size_t row_size);

  void fail(Error error) { task_->fail(std::move(error)); }
  bool is_finished() const;

  // Tells the listener what was written since the last time, if anything.
  void tell_text();

  // The last event. Not finished: it was cancelled.
  void tell_end() { task_->tell_end(is_finished(), num_cached_); }

 private:
  std::span<const TokenId> unread() const;
  TokenIds next_draft(std::size_t most);
  bool is_as_drafted(std::size_t place, std::size_t drafted_from) const;
  void settle_draft(std::size_t num_right);
  std::size_t num_keepable() const;
  TokenIds block_ids(std::size_t start) const;

  std::unique_ptr<GenerationTask> task_;

  Drafter drafter_;
  Draft draft_;
  TokenIds chunk_;  // where there is a draft: what was written and not read, then the draft

  std::optional<KeptSequence> sequence_;
  std::size_t num_seen_ = 0;  // tokens of prompt and completion that have been read once
  std::size_t num_forced_told_ = 0;
  std::size_t num_cached_told_ = 0;
  std::size_t num_cached_ = 0;  // tokens of the prompt that never were
};

}  // namespace rr::internal
