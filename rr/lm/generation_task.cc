#include "rr/lm/generation_task.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <variant>

#include "rr/lm/sampler.h"

namespace rr {
namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

// Messages through the model's template, ids as they are.
Result<TokenIds> prompt_ids(const TextModel& model, const GenerationRequest& request) {
  if (const auto* messages = std::get_if<Messages>(&request.prompt)) {
    if (model.chat == nullptr) return model.no_chat;
    const RenderedPrompt rendered = model.chat->render(*messages);
    return with_begin_token(*model.tokenizer,
                            model.tokenizer->encode(rendered.text, rendered.control));
  }
  const auto& ids = std::get<TokenIds>(request.prompt);
  RR_TRY_STATUS(check_ids(*model.tokenizer, ids));
  if (ids.empty()) return Error{Errc::kRejected, "expected a prompt, found an empty one", ""};
  return ids;
}

Status check_length(std::size_t prompt_size, std::size_t most_written, std::size_t context) {
  if (prompt_size + most_written <= context) return ok_status();
  return Error{Errc::kRejected,
               fmt::format("the prompt has {} tokens and {}{} may be written, more than the "
                           "model's context of {}; shorten the prompt or the budget",
                           prompt_size, most_written > context ? "more than " : "",
                           std::min(most_written, context), context),
               ""};
}

}  // namespace

Result<std::unique_ptr<GenerationTask>> GenerationTask::create(GenerationId id,
                                                               GenerationRequest request,
                                                               GenerationListener listener,
                                                               const TextModel& model) {
  Result<Checked> checked = check(model, request);
  if (!checked.ok()) {
    Error error = std::move(checked).error();
    if (error.where.empty()) error.where = request.label;
    return error;
  }
  return std::unique_ptr<GenerationTask>(new GenerationTask(
      id, std::move(checked).value(), std::move(request), std::move(listener), model));
}

Result<GenerationTask::Checked> GenerationTask::check(const TextModel& model,
                                                      const GenerationRequest& request) {
  RR_TRY_STATUS(check_stages(*model.tokenizer, request.stages));
  RR_TRY_STATUS(check_sampling(request.sampling));
  RR_TRY(TokenIds prompt, prompt_ids(model, request));
  const std::size_t context = model.context_length;
  const std::size_t most = rr::most_tokens(*model.tokenizer, request.stages, context + 1);
  RR_TRY_STATUS(check_length(prompt.size(), most, context));
  const std::size_t total = prompt.size() + most;
  return Checked{std::move(prompt), total};
}

GenerationTask::GenerationTask(GenerationId id, Checked checked, GenerationRequest request,
                               GenerationListener listener, const TextModel& model)
    : id_(id),
      label_(std::move(request.label)),
      prompt_(std::move(checked.prompt)),
      most_tokens_(checked.most_tokens),
      listener_(std::move(listener)),
      writer_(*model.tokenizer, std::move(request.stages), request.sampling, label_),
      stream_(*model.tokenizer) {}

void GenerationTask::start() {
  if (!started_) started_ = Clock::now();
}

void GenerationTask::take(std::span<const float> scores, std::size_t place) {
  const double total = log_sum_exp(scores);
  if (!std::isfinite(total)) {
    fail({Errc::kRejected,
          "the model's scores are not numbers; its weights may be damaged, or too large for bf16 "
          "(--compute f32)",
          ""});
    return;
  }
  if (!first_token_) first_token_ = Clock::now();
  if (place == written().size() && !writer_.is_complete()) writer_.choose(scores);
  const auto logprob = [&](TokenId id) {
    return static_cast<float>(static_cast<double>(scores[static_cast<std::size_t>(id)]) - total);
  };
  if (place >= written().size()) {  // an end token: not part of the completion
    if (const auto end = writer_.end_token()) end_ = {*end, logprob(*end)};
    return;
  }
  logprobs_.resize(place + 1, kUnknown);
  logprobs_[place] = logprob(written()[place]);
}

std::string GenerationTask::new_text() {
  std::string text;
  for (; num_streamed_ < written().size(); ++num_streamed_) {
    text += stream_.put(written()[num_streamed_]);
  }
  return text;
}

void GenerationTask::tell_text() {
  const std::string text = new_text();
  if (text.empty()) return;
  text_ += text;
  listener_({text, nullptr});
}

void GenerationTask::tell_end(bool is_finished, std::size_t num_cached) {
  std::string text = new_text();
  text += stream_.finish();
  text_ += text;
  const Completion completion = make_completion(is_finished, num_cached);
  listener_({text, &completion});
}

Completion GenerationTask::make_completion(bool is_finished, std::size_t num_cached) {
  const auto seconds = [](Clock::time_point begin, Clock::time_point end) {
    return std::chrono::duration<double>(end - begin).count();
  };
  const Clock::time_point now = Clock::now();
  const Clock::time_point started = started_.value_or(now);
  const Clock::time_point first_token = first_token_.value_or(now);
  Completion completion;
  completion.stop =
      error_ ? StopReason::kFailed : (is_finished ? writer_.stop() : StopReason::kCancelled);
  completion.error = error_;
  completion.text = std::move(text_);
  completion.ids = written();
  completion.token_logprobs = std::move(logprobs_);
  completion.token_logprobs.resize(completion.ids.size(), kUnknown);
  if (writer_.end_token()) completion.end = end_;
  completion.stages = writer_.reports();
  completion.prompt_tokens = prompt_.size();
  completion.cached_tokens = num_cached;
  completion.queued_s = seconds(submitted_, started);
  completion.prefill_s = seconds(started, first_token);
  completion.decode_s = seconds(first_token, now);
  return completion;
}

}  // namespace rr
