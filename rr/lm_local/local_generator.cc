#include "rr/lm_local/local_generator.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "rr/base/check.h"
#include "rr/base/clock.h"
#include "rr/base/machine.h"
#include "rr/lm/generation_task.h"
#include "rr/lm/request_inbox.h"
#include "rr/lm_local/internal/running_request.h"
#include "rr/lm_local/internal/scheduler.h"

namespace rr {
namespace {

using internal::RunningRequest;
using internal::Step;

Error decoder_failure(const std::exception& cause) {
  return {Errc::kUnavailable, fmt::format("the model could not be run: {}", cause.what()), ""};
}

}  // namespace

// The thread that owns the decoder, and what it shares with those who submit.
class LocalGenerator::Worker {
 public:
  Worker(LocalModel& model, const LocalGeneratorOptions& options);
  ~Worker();

  Result<GenerationId> submit(GenerationRequest request, GenerationListener listener);
  void cancel(GenerationId id);
  void expect(TokenIds beginning);
  const TextModel& text_model() const { return model_.text_model(); }
  Counters counters() const;

 private:
  Status check_memory(const GenerationTask& task) const;

  void run();
  bool take_news();
  void do_step();
  bool forward(const Step& step);
  void take_scores(const Step& step);
  GenerationStep describe(const Step& step) const;
  void count_step(const GenerationStep& step);
  void count_end(const RunningRequest& request);

  LocalModel& model_;
  std::function<void(const GenerationStep&)> on_step_;
  std::size_t block_bytes_;
  internal::SchedulerLimits limits_;
  std::atomic<GenerationId> next_id_ = 1;

  RequestInbox inbox_;

  mutable std::mutex mutex_;  // guards counters_
  Counters counters_;

  // The worker's thread has the rest to itself.
  internal::Scheduler scheduler_;
  std::vector<float> scores_;
  Counters totals_;

  std::thread thread_;  // last: it uses all of the above
};

namespace {

std::size_t kv_memory(const LocalGeneratorOptions& options) {
  return options.kv_memory_bytes == 0 ? free_memory() / 4 * 3 : options.kv_memory_bytes;
}

}  // namespace

LocalGenerator::Worker::Worker(LocalModel& model, const LocalGeneratorOptions& options)
    : model_(model),
      on_step_(options.on_step),
      block_bytes_(model.memory().kv_bytes_per_token * kKvBlockTokens),
      limits_{options.max_sequences, options.max_batch_tokens, kv_memory(options) / block_bytes_,
              options.speculation},
      scheduler_(model.decoder(), limits_) {
  thread_ = std::thread([this] { run(); });
}

LocalGenerator::Worker::~Worker() {
  inbox_.close();
  thread_.join();
}

Result<GenerationId> LocalGenerator::Worker::submit(GenerationRequest request,
                                                    GenerationListener listener) {
  const GenerationId id = next_id_++;
  RR_TRY(std::unique_ptr<GenerationTask> task,
         GenerationTask::create(id, std::move(request), std::move(listener), model_.text_model()));
  RR_TRY_STATUS(check_memory(*task));
  inbox_.submit(std::move(task));
  return id;
}

Status LocalGenerator::Worker::check_memory(const GenerationTask& task) const {
  const std::size_t blocks = internal::Scheduler::blocks_for(task.most_tokens());
  if (blocks <= limits_.max_kv_blocks) return ok_status();
  return Error{Errc::kRejected,
               fmt::format("{} tokens of prompt and completion take {} for keys and values, and "
                           "only {} are set aside for them (--kv-memory)",
                           task.most_tokens(), bytes_for_people(blocks * block_bytes_),
                           bytes_for_people(limits_.max_kv_blocks * block_bytes_)),
               task.label()};
}

void LocalGenerator::Worker::cancel(GenerationId id) { inbox_.cancel(id); }

void LocalGenerator::Worker::expect(TokenIds beginning) {
  if (!check_ids(model_.tokenizer(), beginning).ok()) return;
  if (beginning.size() > model_.context_length()) return;
  inbox_.expect(std::move(beginning));
}

LocalGenerator::Counters LocalGenerator::Worker::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void LocalGenerator::Worker::run() {
  while (take_news()) {
    if (!scheduler_.is_idle()) do_step();
  }
  for (const auto& request : scheduler_.take_out_all()) request->tell_end();
}

// Waits where there is nothing to do. False: it is time to stop.
bool LocalGenerator::Worker::take_news() {
  RequestInbox::News news = inbox_.take(!scheduler_.is_idle());
  for (auto& task : news.submitted) {
    scheduler_.add(std::make_unique<RunningRequest>(std::move(task)));
  }
  for (TokenIds& beginning : news.expected) scheduler_.expect(std::move(beginning));
  for (const auto& request : scheduler_.take_out(news.cancelled)) request->tell_end();
  return !news.is_closed;
}

void LocalGenerator::Worker::do_step() {
  const Clock::time_point begin = Clock::now();
  const Step step = scheduler_.plan();
  if (step.chunks.empty()) return;
  if (forward(step)) take_scores(step);
  GenerationStep done = describe(step);
  const auto finished = scheduler_.finish(step);
  done.kv_blocks = model_.decoder().num_kv_blocks();
  done.seconds = seconds_since(begin);
  count_step(done);
  if (on_step_) on_step_(done);
  for (const auto& request : finished) count_end(*request);
  {
    const std::lock_guard lock(mutex_);
    counters_ = totals_;
  }
  for (RunningRequest* request : step.requests) {
    if (!request->is_finished()) request->tell_text();
  }
  for (const auto& request : finished) request->tell_end();
}

// False: everyone in the step has failed.
bool LocalGenerator::Worker::forward(const Step& step) {
  try {
    model_.decoder().forward(step.chunks, scores_);
    return true;
  } catch (const std::exception& cause) {  // no memory, or a kernel that cannot run
    for (RunningRequest* request : step.requests) request->fail(decoder_failure(cause));
    return false;
  }
}

void LocalGenerator::Worker::take_scores(const Step& step) {
  const std::size_t row_size = model_.config().vocabulary_size;
  RR_CHECK(scores_.size() == step.num_rows * row_size, "a row of scores for each position wanted");
  model_.pool().run(step.requests.size(), [&](std::size_t i) {
    const std::span<const float> scores(scores_.data() + step.first_rows[i] * row_size,
                                        Step::rows_of(step.chunks[i]) * row_size);
    step.requests[i]->take(scores, row_size);
  });
  for (RunningRequest* request : step.requests) {
    if (request->is_finished() || request->num_tokens() <= model_.context_length()) continue;
    request->fail({Errc::kRejected,
                   fmt::format("the text grew longer than the model's context of {}",
                               model_.context_length()),
                   ""});
  }
}

// What is known before the step is finished.
GenerationStep LocalGenerator::Worker::describe(const Step& step) const {
  GenerationStep done;
  done.waiting = scheduler_.num_waiting();
  done.read_tokens = step.num_read;
  done.expected_tokens = step.num_expected;
  done.written_tokens = step.num_written;
  for (std::size_t i = 0; i < step.requests.size(); ++i) {
    ++(step.chunks[i].logits == LogitsWanted::kAll ? done.writing : done.reading);
    done.known_tokens += step.requests[i]->newly_cached();
    done.forced_tokens += step.requests[i]->newly_forced();
    const RunningRequest::Draft& draft = step.requests[i]->draft();
    done.written_tokens -= draft.num_tokens - draft.num_right;
    done.drafted_tokens += draft.num_tokens;
    done.right_drafts += draft.num_right;
  }
  return done;
}

void LocalGenerator::Worker::count_step(const GenerationStep& step) {
  const std::size_t num_read = step.read_tokens + step.expected_tokens;
  Counters::Steps& steps = step.writing == 0 ? totals_.reading
                           : num_read == 0   ? totals_.writing
                                             : totals_.mixed;
  ++steps.count;
  steps.read_tokens += num_read;
  steps.written_tokens += step.written_tokens;
  steps.seconds += step.seconds;
  totals_.expected_tokens += step.expected_tokens;
  totals_.drafted_tokens += step.drafted_tokens;
  totals_.right_drafts += step.right_drafts;
  totals_.max_running = std::max(totals_.max_running, step.reading + step.writing);
  totals_.max_kv_blocks = std::max(totals_.max_kv_blocks, step.kv_blocks);
  totals_.stopped = scheduler_.num_stopped();
  totals_.evicted_blocks = scheduler_.tree().num_evicted();
}

void LocalGenerator::Worker::count_end(const RunningRequest& request) {
  totals_.prompt_tokens += request.num_tokens() - request.num_written();
  totals_.cached_tokens += request.num_cached();
  totals_.completion_tokens += request.num_written();
  totals_.forced_tokens += request.num_forced();
}

LocalGenerator::LocalGenerator(LocalModel& model, const LocalGeneratorOptions& options)
    : worker_(std::make_unique<Worker>(model, options)) {}

LocalGenerator::~LocalGenerator() = default;

Result<GenerationId> LocalGenerator::submit(GenerationRequest request,
                                            GenerationListener listener) {
  return worker_->submit(std::move(request), std::move(listener));
}

void LocalGenerator::cancel(GenerationId id) { worker_->cancel(id); }

void LocalGenerator::expect(TokenIds beginning) { worker_->expect(std::move(beginning)); }

const TextModel* LocalGenerator::text_model() const { return &worker_->text_model(); }

LocalGenerator::Counters LocalGenerator::counters() const { return worker_->counters(); }

}  // namespace rr
