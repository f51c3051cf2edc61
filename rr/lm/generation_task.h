#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rr/base/clock.h"
#include "rr/base/result.h"
#include "rr/lm/completion_writer.h"
#include "rr/lm/generator.h"
#include "rr/lm/tokenizer.h"

namespace rr {

// One request of a generator that runs its own model: its prompt in tokens, what has been written
// behind it, and what its listener was told. Knows no model and no other request; whoever runs the
// model reads tokens in order and shows the task the scores behind those that it asks about.
//
// Not thread-safe; different tasks may be used at once.
class GenerationTask {
 public:
  // The checks that every such generator makes: stages, sampling, ids of the vocabulary, a prompt
  // that is not empty, a template for messages, and room in the context for the prompt with all
  // that its stages may write. `model` must outlive the task.
  static Result<std::unique_ptr<GenerationTask>> create(GenerationId id, GenerationRequest request,
                                                        GenerationListener listener,
                                                        const TextModel& model);

  GenerationId id() const { return id_; }
  const std::string& label() const { return label_; }
  const TokenIds& prompt() const { return prompt_; }
  const TokenIds& written() const { return writer_.ids(); }
  std::size_t num_tokens() const { return prompt_.size() + written().size(); }
  std::size_t num_forced() const { return writer_.num_forced(); }
  std::size_t most_tokens() const { return most_tokens_; }  // prompt and all that may be written

  // The token at a place of the prompt, or of the completion behind it. Requires place <
  // num_tokens().
  TokenId token(std::size_t place) const {
    return place < prompt_.size() ? prompt_[place] : written()[place - prompt_.size()];
  }

  // Tokens that the model has to read: nothing follows the last one of a complete text.
  std::size_t num_to_read() const { return num_tokens() - (writer_.is_complete() ? 1 : 0); }

  bool is_complete() const { return writer_.is_complete(); }
  std::size_t num_free_left() const { return writer_.num_free_left(); }
  bool has_failed() const { return error_.has_value(); }

  // The model begins to work on it; calls after the first mean nothing.
  void start();

  // What the model says of the token at this place of the completion: scores of the whole
  // vocabulary, rows of padding behind them counted in the distribution. Where the token waits to
  // be chosen it is, with all that is forced behind it; its log-probability is kept. Places come in
  // order, each once. Fails the task where the scores are no numbers.
  void take(std::span<const float> scores, std::size_t place);

  void fail(Error error) { error_ = std::move(error); }

  // Tells the listener what was written since the last time, if anything.
  void tell_text();

  // The last event. is_finished: false, it was cancelled. num_cached: tokens of the prompt that
  // were known and not read.
  void tell_end(bool is_finished, std::size_t num_cached);

 private:
  struct Checked {
    TokenIds prompt;
    std::size_t most_tokens;
  };
  static Result<Checked> check(const TextModel& model, const GenerationRequest& request);
  GenerationTask(GenerationId id, Checked checked, GenerationRequest request,
                 GenerationListener listener, const TextModel& model);

  std::string new_text();
  Completion make_completion(bool is_finished, std::size_t num_cached);

  GenerationId id_;
  std::string label_;
  TokenIds prompt_;
  std::size_t most_tokens_;
  GenerationListener listener_;
  CompletionWriter writer_;
  std::vector<float> logprobs_;
  std::optional<Completion::EndToken> end_;
  std::optional<Error> error_;

  StreamDecoder stream_;
  std::size_t num_streamed_ = 0;  // ids that went through stream_
  std::string text_;              // told so far

  Clock::time_point submitted_ = Clock::now();
  std::optional<Clock::time_point> started_;
  std::optional<Clock::time_point> first_token_;
};

}  // namespace rr
