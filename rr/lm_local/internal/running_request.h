#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rr/lm/generator.h"
#include "rr/lm_local/internal/completion_writer.h"
#include "rr/nn/decoder.h"

namespace rr::internal {

// One request on its way. Its prompt is read first, in chunks; then the completion, whose tokens
// are read as soon as they are written: chosen ones one at a time, forced ones in pieces.
//
// What is read when depends on this request alone, so that it goes the same way with and without
// others. Not thread-safe; several requests may take() at once.
class RunningRequest {
 public:
  // The tokenizer must outlive it. Requires a prompt that is not empty, and what CompletionWriter
  // requires.
  RunningRequest(GenerationId id, TokenIds prompt, GenerationRequest request,
                 const Tokenizer& tokenizer, GenerationListener listener);

  GenerationId id() const { return id_; }
  bool reads_prompt() const { return prompt_read_ < prompt_.size(); }
  std::size_t num_written() const { return writer_.ids().size(); }
  std::size_t num_tokens() const { return prompt_.size() + num_written(); }

  // Once, before the first next_chunk().
  void start(std::unique_ptr<KvSequence> sequence);

  // What to read next; prompts in chunks of `prompt_chunk`, pieces of the completion of at most
  // kMaxPiece tokens. It points into this object and holds until take(). Requires !is_finished().
  DecoderChunk next_chunk(std::size_t prompt_chunk) const;
  static constexpr std::size_t kMaxPiece = 8;

  // What forward() said of that chunk: rows of `row_size` scores, as many as it asked for.
  void take(const DecoderChunk& chunk, std::span<const float> scores, std::size_t row_size);

  void fail(Error error) { error_ = std::move(error); }
  bool is_finished() const;

  // Tells the listener what was written since the last time, if anything.
  void tell_text();

  // The last event. Not finished: it was cancelled.
  void tell_end();

 private:
  using Clock = std::chrono::steady_clock;

  void take_row(std::span<const float> scores, std::size_t place);
  std::string new_text();
  Completion make_completion();

  GenerationId id_;
  TokenIds prompt_;
  GenerationListener listener_;
  CompletionWriter writer_;
  std::vector<float> logprobs_;
  std::optional<Error> error_;

  std::unique_ptr<KvSequence> sequence_;
  std::size_t prompt_read_ = 0;
  std::size_t read_ = 0;  // of the completion

  StreamDecoder stream_;
  std::size_t num_streamed_ = 0;  // ids that went through stream_
  std::string text_;              // told so far

  Clock::time_point submitted_ = Clock::now();
  std::optional<Clock::time_point> started_;
  std::optional<Clock::time_point> first_token_;
};

}  // namespace rr::internal
