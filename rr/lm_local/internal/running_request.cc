#include "rr/lm_local/internal/running_request.h"

#include <algorithm>
#include <utility>

namespace rr::internal {

void RunningRequest::start(KeptSequence sequence) {
  sequence_.emplace(std::move(sequence));
  task_->start();
  take_kept();
}

void RunningRequest::stop() { sequence_.reset(); }

// Tokens that may come from a tree: of the first reading, all but the one whose scores begin the
// completion.
std::size_t RunningRequest::num_keepable() const {
  return std::max(num_seen_, task_->prompt().size() - 1);
}

TokenIds RunningRequest::block_ids(std::size_t start) const {
  TokenIds ids;
  ids.reserve(kKvBlockTokens);
  for (std::size_t i = start; i < start + kKvBlockTokens; ++i) ids.push_back(task_->token(i));
  return ids;
}

void RunningRequest::take_kept() {
  while (length() == sequence_->block_start() && length() + kKvBlockTokens <= num_keepable()) {
    if (!sequence_->take(block_ids(length()))) break;
    if (length() <= num_seen_) continue;
    num_cached_ += length() - num_seen_;
    num_seen_ = length();
  }
}

std::optional<KeptSequence::BlockToRead> RunningRequest::block_to_read() const {
  const std::size_t start = sequence_->block_start();
  if (!sequence_->is_kept() || start + kKvBlockTokens > num_keepable()) return std::nullopt;
  return sequence_->block_to_read(block_ids(start));
}

void RunningRequest::keep() {
  if (task_->has_failed()) return;  // what it has read may not be what it should have
  for (std::size_t start = 0; (start = sequence_->next_to_keep()) < length();) {
    sequence_->keep(block_ids(start));
  }
}

// Tokens that stand fast and come next, as far as they lie in one piece.
std::span<const TokenId> RunningRequest::unread() const {
  const std::size_t from = length();
  const std::size_t again = num_seen_ > from ? num_seen_ - from : 0;
  std::span<const TokenId> rest;
  if (from < task_->prompt().size()) {
    rest = std::span(task_->prompt()).subspan(from);
  } else {
    rest = std::span(written_ids())
               .first(task_->num_to_read() - task_->prompt().size())
               .subspan(from - task_->prompt().size());
  }
  return again > 0 ? rest.first(std::min(again, rest.size())) : rest;
}

DecoderChunk RunningRequest::next_chunk(const ChunkLimits& limits) {
  draft_ = {};
  const std::span<const TokenId> rest = unread();
  const bool is_again = length() < num_seen_;
  if (is_again || reads_prompt()) {
    const std::size_t size = std::min(limits.tokens, rest.size());
    const bool is_last = !is_again && length() + size == task_->prompt().size();
    return {sequence_->sequence(), rest.first(size),
            is_last ? LogitsWanted::kLast : LogitsWanted::kNone};
  }
  const std::span<const TokenId> written = rest.first(std::min(limits.scores, rest.size()));
  const TokenIds draft = written.size() < rest.size()
                             ? TokenIds()
                             : next_draft(std::min(limits.drafted, limits.scores - rest.size()));
  if (draft.empty()) return {sequence_->sequence(), written, LogitsWanted::kAll};
  draft_ = {.num_tokens = draft.size(), .cost = limits.draft_cost};
  chunk_.assign(written.begin(), written.end());
  chunk_.insert(chunk_.end(), draft.begin(), draft.end());
  return {sequence_->sequence(), chunk_, LogitsWanted::kAll};
}

// The scores behind the last token of a draft choose one more, so one less is drafted than may be
// written.
TokenIds RunningRequest::next_draft(std::size_t most) {
  const std::size_t num_left = task_->num_free_left();
  if (num_left == 0) return {};
  return drafter_.propose(task_->prompt(), written_ids(), std::min(most, num_left - 1));
}

void RunningRequest::take(std::span<const float> scores, std::size_t row_size) {
  const std::size_t num_rows = scores.size() / row_size;
  const std::size_t drafted_from = num_written();  // place of a draft in the completion
  std::size_t place =
      length() + 1 - num_rows - task_->prompt().size();  // that the first row is about
  for (std::size_t row = 0; row < num_rows && !task_->has_failed(); ++row, ++place) {
    if (place > drafted_from && !is_as_drafted(place, drafted_from)) break;
    task_->take(scores.subspan(row * row_size, row_size), place);
  }
  if (draft_.num_tokens > 0) settle_draft(task_->has_failed() ? 0 : place - 1 - drafted_from);
  num_seen_ = std::max(num_seen_, length());
}

// Whether the text up to a place behind the draft's first token came to be as drafted, and goes on
// there. What was written before is not asked about again.
bool RunningRequest::is_as_drafted(std::size_t place, std::size_t drafted_from) const {
  if (place > num_written() || (place == num_written() && task_->is_complete())) return false;
  const std::size_t draft = chunk_.size() - draft_.num_tokens;
  return written_ids()[place - 1] == chunk_[draft + place - 1 - drafted_from];
}

void RunningRequest::settle_draft(std::size_t num_right) {
  draft_.num_right = num_right;
  sequence_->truncate(length() - draft_.num_tokens + num_right);
  drafter_.learn(draft_.num_tokens, num_right, draft_.cost);
}

bool RunningRequest::is_finished() const {
  if (task_->has_failed()) return true;
  return !reads_prompt() && task_->is_complete() && num_seen_ >= task_->num_to_read();
}

void RunningRequest::tell_text() {
  if (reads_prompt()) return;  // forced text stands there already, but nothing has been written
  task_->tell_text();
}

}  // namespace rr::internal
