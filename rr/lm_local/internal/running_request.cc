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

void RunningRequest::start(std::unique_ptr<KvSequence> sequence) {
  sequence_ = std::move(sequence);
  started_ = Clock::now();
}

DecoderChunk RunningRequest::next_chunk(std::size_t prompt_chunk) const {
  if (reads_prompt()) {
    const std::size_t size = std::min(prompt_chunk, prompt_.size() - prompt_read_);
    const bool is_last = prompt_read_ + size == prompt_.size();
    return {sequence_.get(), std::span(prompt_).subspan(prompt_read_, size),
            is_last ? LogitsWanted::kLast : LogitsWanted::kNone};
  }
  // Nothing follows the last token of a complete text: it need not be read.
  const std::size_t until = num_written() - (writer_.is_complete() ? 1 : 0);
  return {sequence_.get(),
          std::span(writer_.ids()).subspan(read_, std::min(kMaxPiece, until - read_)),
          LogitsWanted::kAll};
}

void RunningRequest::take(const DecoderChunk& chunk, std::span<const float> scores,
                          std::size_t row_size) {
  std::size_t place = 0;  // in the completion, of the token that the first row is about
  if (reads_prompt()) {
    prompt_read_ += chunk.ids.size();
  } else {
    place = read_ + 1;
    read_ += chunk.ids.size();
  }
  for (; !scores.empty() && !error_; scores = scores.subspan(row_size), ++place) {
    take_row(scores.first(row_size), place);
  }
}

void RunningRequest::take_row(std::span<const float> scores, std::size_t place) {
  const double total = log_sum_exp(scores);
  if (!std::isfinite(total)) {
    fail({Errc::kRejected,
          "the model's scores are not numbers; its weights may be damaged, or too large for this "
          "precision (--precision f32)",
          ""});
    return;
  }
  if (!first_token_) first_token_ = Clock::now();
  if (place == num_written() && !writer_.is_complete()) writer_.choose(scores);
  if (place >= num_written()) return;  // an end token: not part of the completion
  const auto id = static_cast<std::size_t>(writer_.ids()[place]);
  logprobs_.resize(place + 1, kUnknown);
  logprobs_[place] = static_cast<float>(static_cast<double>(scores[id]) - total);
}

bool RunningRequest::is_finished() const {
  if (error_) return true;
  return !reads_prompt() && writer_.is_complete() && read_ + 1 >= num_written();
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
  completion.stages = writer_.reports();
  completion.prompt_tokens = prompt_.size();
  completion.queued_s = seconds(submitted_, started);
  completion.prefill_s = seconds(started, first_token);
  completion.decode_s = seconds(first_token, now);
  return completion;
}

}  // namespace rr::internal
