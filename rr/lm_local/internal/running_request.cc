#include "rr/lm_local/internal/running_request.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "rr/lm_local/sampler.h"

namespace rr::internal {
namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

}  // namespace

RunningRequest::RunningRequest(GenerationId id, TokenIds prompt, GenerationRequest request,
                               const Tokenizer& tokenizer, GenerationListener listener)
    : id_(id),
      prompt_(std::move(prompt)),
      listener_(std::move(listener)),
      writer_(tokenizer, std::move(request.stages), request.sampling, request.label),
      stream_(tokenizer) {}

void RunningRequest::start(KeptSequence sequence) {
  sequence_.emplace(std::move(sequence));
  if (!started_) started_ = Clock::now();
  take_kept();
}

void RunningRequest::stop() { sequence_.reset(); }

// Tokens that may come from a tree: of the first reading, all but the one whose scores begin the
// completion.
std::size_t RunningRequest::num_keepable() const { return std::max(num_seen_, prompt_.size() - 1); }

TokenIds RunningRequest::block_ids(std::size_t start) const {
  TokenIds ids;
  ids.reserve(kKvBlockTokens);
  for (std::size_t i = start; i < start + kKvBlockTokens; ++i) {
    ids.push_back(i < prompt_.size() ? prompt_[i] : writer_.ids()[i - prompt_.size()]);
  }
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
  if (error_) return;  // what it has read may not be what it should have
  for (std::size_t start = 0; (start = sequence_->next_to_keep()) < length();) {
    sequence_->keep(block_ids(start));
  }
}

// Tokens that stand fast and come next, as far as they lie in one piece.
std::span<const TokenId> RunningRequest::unread() const {
  const std::size_t from = length();
  const std::size_t again = num_seen_ > from ? num_seen_ - from : 0;
  std::span<const TokenId> rest;
  if (from < prompt_.size()) {
    rest = std::span(prompt_).subspan(from);
  } else {
    // Nothing follows the last token of a complete text: it need not be read.
    const std::size_t until = num_written() - (writer_.is_complete() ? 1 : 0);
    rest = std::span(writer_.ids()).first(until).subspan(from - prompt_.size());
  }
  return again > 0 ? rest.first(std::min(again, rest.size())) : rest;
}

DecoderChunk RunningRequest::next_chunk(const ChunkLimits& limits) {
  draft_ = {};
  const std::span<const TokenId> rest = unread();
  const bool is_again = length() < num_seen_;
  if (is_again || reads_prompt()) {
    const std::size_t size = std::min(limits.tokens, rest.size());
    const bool is_last = !is_again && length() + size == prompt_.size();
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
  const std::size_t num_left = writer_.num_free_left();
  if (num_left == 0) return {};
  return drafter_.propose(prompt_, writer_.ids(), std::min(most, num_left - 1));
}

void RunningRequest::take(std::span<const float> scores, std::size_t row_size) {
  const std::size_t num_rows = scores.size() / row_size;
  const std::size_t drafted_from = num_written();  // place of a draft in the completion
  std::size_t place = length() + 1 - num_rows - prompt_.size();  // that the first row is about
  for (std::size_t row = 0; row < num_rows && !error_; ++row, ++place) {
    if (place > drafted_from && !is_as_drafted(place, drafted_from)) break;
    take_row(scores.subspan(row * row_size, row_size), place);
  }
  if (draft_.num_tokens > 0) settle_draft(error_ ? 0 : place - 1 - drafted_from);
  num_seen_ = std::max(num_seen_, length());
}

// Whether the text up to a place behind the draft's first token came to be as drafted, and goes on
// there. What was written before is not asked about again.
bool RunningRequest::is_as_drafted(std::size_t place, std::size_t drafted_from) const {
  if (place > num_written() || (place == num_written() && writer_.is_complete())) return false;
  const std::size_t draft = chunk_.size() - draft_.num_tokens;
  return writer_.ids()[place - 1] == chunk_[draft + place - 1 - drafted_from];
}

void RunningRequest::settle_draft(std::size_t num_right) {
  draft_.num_right = num_right;
  sequence_->truncate(length() - draft_.num_tokens + num_right);
  drafter_.learn(draft_.num_tokens, num_right, draft_.cost);
}

void RunningRequest::take_row(std::span<const float> scores, std::size_t place) {
  const double total = log_sum_exp(scores);
  if (!std::isfinite(total)) {
    fail({Errc::kRejected,
          "the model's scores are not numbers; its weights may be damaged, or too large for bf16 "
          "(--compute f32)",
          ""});
    return;
  }
  if (!first_token_) first_token_ = Clock::now();
  if (place == num_written() && !writer_.is_complete()) writer_.choose(scores);
  const auto logprob = [&](TokenId id) {
    return static_cast<float>(static_cast<double>(scores[static_cast<std::size_t>(id)]) - total);
  };
  if (place >= num_written()) {  // an end token: not part of the completion
    if (const auto end = writer_.end_token()) end_ = {*end, logprob(*end)};
    return;
  }
  logprobs_.resize(place + 1, kUnknown);
  logprobs_[place] = logprob(writer_.ids()[place]);
}

bool RunningRequest::is_finished() const {
  if (error_) return true;
  return !reads_prompt() && writer_.is_complete() && num_seen_ + 1 >= num_tokens();
}

std::string RunningRequest::new_text() {
  std::string text;
  for (; num_streamed_ < num_written(); ++num_streamed_) {
    text += stream_.put(writer_.ids()[num_streamed_]);
  }
  return text;
}

void RunningRequest::tell_text() {
  if (reads_prompt()) return;  // forced text stands there already, but nothing has been written
  const std::string text = new_text();
  if (text.empty()) return;
  text_ += text;
  listener_({text, nullptr});
}

void RunningRequest::tell_end() {
  std::string text = new_text();
  text += stream_.finish();
  text_ += text;
  const Completion completion = make_completion();
  listener_({text, &completion});
}

Completion RunningRequest::make_completion() {
  const auto seconds = [](Clock::time_point begin, Clock::time_point end) {
    return std::chrono::duration<double>(end - begin).count();
  };
  const Clock::time_point now = Clock::now();
  const Clock::time_point started = started_.value_or(now);
  const Clock::time_point first_token = first_token_.value_or(now);
  Completion completion;
  completion.stop =
      error_ ? StopReason::kFailed : (is_finished() ? writer_.stop() : StopReason::kCancelled);
  completion.error = error_;
  completion.text = std::move(text_);
  completion.ids = writer_.ids();
  completion.token_logprobs = std::move(logprobs_);
  completion.token_logprobs.resize(completion.ids.size(), kUnknown);
  if (writer_.end_token()) completion.end = end_;
  completion.stages = writer_.reports();
  completion.prompt_tokens = prompt_.size();
  completion.cached_tokens = num_cached_;
  completion.queued_s = seconds(submitted_, started);
  completion.prefill_s = seconds(started, first_token);
  completion.decode_s = seconds(first_token, now);
  return completion;
}

}  // namespace rr::internal
