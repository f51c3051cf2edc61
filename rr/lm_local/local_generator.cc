#include "rr/lm_local/local_generator.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <list>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/machine.h"
#include "rr/lm_local/internal/completion_writer.h"
#include "rr/lm_local/internal/prompt.h"
#include "rr/lm_local/internal/running_request.h"
#include "rr/lm_local/sampler.h"

namespace rr {
namespace {

using Clock = std::chrono::steady_clock;
using internal::RunningRequest;

// A request, and the memory that is set aside for it while it runs.
struct Job {
  std::unique_ptr<RunningRequest> request;
  std::size_t kv_bytes;
};

// What one forward() reads, and whose it is.
struct Step {
  std::vector<RunningRequest*> requests;
  std::vector<DecoderChunk> chunks;     // one each
  std::vector<std::size_t> first_rows;  // of scores, one each
  std::size_t num_rows = 0;

  void add(RunningRequest* request, const DecoderChunk& chunk) {
    requests.push_back(request);
    chunks.push_back(chunk);
    first_rows.push_back(num_rows);
    num_rows += rows_of(chunk);
  }

  static std::size_t rows_of(const DecoderChunk& chunk) {
    if (chunk.logits == LogitsWanted::kAll) return chunk.ids.size();
    return chunk.logits == LogitsWanted::kLast ? 1 : 0;
  }
};

Error decoder_failure(const std::exception& cause) {
  return {Errc::kUnavailable, fmt::format("the model could not be run: {}", cause.what()), ""};
}

}  // namespace

// The thread that owns the decoder, and what it shares with those who submit.
class LocalGenerator::Scheduler {
 public:
  Scheduler(LocalModel& model, const LocalGeneratorOptions& options);
  ~Scheduler();

  Result<GenerationId> submit(GenerationRequest request, GenerationListener listener);
  void cancel(GenerationId id);
  const TextModel& text_model() const { return model_.text_model(); }
  Counters counters() const;

 private:
  Result<Job> check(GenerationRequest request, GenerationListener listener);
  Result<std::size_t> check_length(const GenerationRequest& request, std::size_t prompt_size) const;

  void run();
  bool take_news();
  void end_cancelled();
  void admit();
  Step plan() const;
  void do_step(const Step& step);
  bool forward(const Step& step);
  void take_scores(const Step& step);
  void tell(const Step& step);

  LocalModel& model_;
  LocalGeneratorOptions options_;
  std::atomic<GenerationId> next_id_ = 1;

  mutable std::mutex mutex_;  // guards what is shared:
  std::condition_variable wake_;
  std::deque<Job> submitted_;
  std::unordered_set<GenerationId> cancelled_;
  bool stopping_ = false;
  Counters counters_;

  // The scheduler's thread has the rest to itself.
  std::deque<Job> waiting_;
  std::list<Job> running_;  // in the order in which they were admitted
  std::unordered_set<GenerationId> to_cancel_;
  std::size_t kv_bytes_taken_ = 0;
  std::vector<float> scores_;
  Counters totals_;

  std::thread thread_;  // last: it uses all of the above
};

LocalGenerator::Scheduler::Scheduler(LocalModel& model, const LocalGeneratorOptions& options)
    : model_(model), options_(options) {
  RR_CHECK(options.max_sequences >= 1, "a generator runs at least one request");
  RR_CHECK(options.max_batch_tokens >= 1, "a step reads at least one token");
  if (options_.kv_memory_bytes == 0) options_.kv_memory_bytes = free_memory() / 4 * 3;
  thread_ = std::thread([this] { run(); });
}

LocalGenerator::Scheduler::~Scheduler() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Result<GenerationId> LocalGenerator::Scheduler::submit(GenerationRequest request,
                                                       GenerationListener listener) {
  const std::string label = request.label;
  Result<Job> job = check(std::move(request), std::move(listener));
  if (!job.ok()) {
    Error error = std::move(job).error();
    if (error.where.empty()) error.where = label;
    return error;
  }
  const GenerationId id = job->request->id();
  {
    const std::lock_guard lock(mutex_);
    submitted_.push_back(std::move(job).value());
  }
  wake_.notify_one();
  return id;
}

Result<Job> LocalGenerator::Scheduler::check(GenerationRequest request,
                                             GenerationListener listener) {
  RR_TRY_STATUS(internal::check_stages(request.stages));
  RR_TRY_STATUS(check_sampling(request.sampling));
  RR_TRY(TokenIds prompt, internal::prompt_ids(model_, request));
  RR_TRY(const std::size_t kv_bytes, check_length(request, prompt.size()));
  return Job{std::make_unique<RunningRequest>(next_id_++, std::move(prompt), std::move(request),
                                              model_.tokenizer(), std::move(listener)),
             kv_bytes};
}

// The memory to set aside for keys and values.
Result<std::size_t> LocalGenerator::Scheduler::check_length(const GenerationRequest& request,
                                                            std::size_t prompt_size) const {
  const std::size_t context = model_.context_length();
  const std::size_t most = internal::most_tokens(model_.tokenizer(), request.stages, context + 1);
  if (prompt_size + most > context) {
    return Error{Errc::kRejected,
                 fmt::format("the prompt has {} tokens and {}{} may be written, more than the "
                             "model's context of {}; shorten the prompt or the budget",
                             prompt_size, most > context ? "more than " : "",
                             std::min(most, context), context),
                 ""};
  }
  const std::size_t bytes = (prompt_size + most) * model_.memory().kv_bytes_per_token;
  if (bytes > options_.kv_memory_bytes) {
    return Error{Errc::kRejected,
                 fmt::format("{} tokens of prompt and completion take {} for keys and values, and "
                             "only {} are set aside for them",
                             prompt_size + most, bytes_for_people(bytes),
                             bytes_for_people(options_.kv_memory_bytes)),
                 ""};
  }
  return bytes;
}

void LocalGenerator::Scheduler::cancel(GenerationId id) {
  {
    const std::lock_guard lock(mutex_);
    cancelled_.insert(id);
  }
  wake_.notify_one();
}

LocalGenerator::Counters LocalGenerator::Scheduler::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void LocalGenerator::Scheduler::run() {
  while (take_news()) {
    end_cancelled();
    admit();
    if (!running_.empty()) do_step(plan());
  }
  for (Job& job : running_) job.request->tell_end();
  for (Job& job : waiting_) job.request->tell_end();
}

// Waits where there is nothing to do. False: it is time to stop.
bool LocalGenerator::Scheduler::take_news() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] {
    return stopping_ || !submitted_.empty() || !cancelled_.empty() || !waiting_.empty() ||
           !running_.empty();
  });
  for (Job& job : submitted_) waiting_.push_back(std::move(job));
  submitted_.clear();
  to_cancel_ = std::exchange(cancelled_, {});
  return !stopping_;
}

void LocalGenerator::Scheduler::end_cancelled() {
  if (to_cancel_.empty()) return;
  const auto is_cancelled = [this](Job& job) {
    if (!to_cancel_.contains(job.request->id())) return false;
    job.request->tell_end();
    return true;
  };
  std::erase_if(waiting_, is_cancelled);
  std::erase_if(running_, [&](Job& job) {
    if (!is_cancelled(job)) return false;
    kv_bytes_taken_ -= job.kv_bytes;
    return true;
  });
}

// In order: a request that waits for memory holds up those behind it, so that it cannot wait for
// ever. Alone it always fits (check_length).
void LocalGenerator::Scheduler::admit() {
  while (!waiting_.empty() && running_.size() < options_.max_sequences &&
         kv_bytes_taken_ + waiting_.front().kv_bytes <= options_.kv_memory_bytes) {
    Job& job = running_.emplace_back(std::move(waiting_.front()));
    waiting_.pop_front();
    kv_bytes_taken_ += job.kv_bytes;
    job.request->start(model_.decoder().new_sequence());
  }
}

// Everyone who writes, and prompts in order as far as a step reads: whole chunks only, because
// their borders must not depend on who else runs.
Step LocalGenerator::Scheduler::plan() const {
  Step step;
  std::size_t prompt_tokens = 0;
  for (const Job& job : running_) {
    const DecoderChunk chunk = job.request->next_chunk(options_.max_batch_tokens);
    if (job.request->reads_prompt()) {
      if (prompt_tokens + chunk.ids.size() > options_.max_batch_tokens) continue;
      prompt_tokens += chunk.ids.size();
    }
    step.add(job.request.get(), chunk);
  }
  return step;
}

void LocalGenerator::Scheduler::do_step(const Step& step) {
  const Clock::time_point begin = Clock::now();
  for (std::size_t i = 0; i < step.requests.size(); ++i) {
    if (step.requests[i]->reads_prompt()) totals_.prompt_tokens += step.chunks[i].ids.size();
  }
  if (forward(step)) take_scores(step);
  ++totals_.steps;
  totals_.max_running = std::max(totals_.max_running, step.requests.size());
  totals_.busy_s += std::chrono::duration<double>(Clock::now() - begin).count();
  for (const RunningRequest* request : step.requests) {
    if (request->is_finished()) totals_.completion_tokens += request->num_written();
  }
  {
    const std::lock_guard lock(mutex_);
    counters_ = totals_;
  }
  tell(step);
}

// False: everyone in the step has failed.
bool LocalGenerator::Scheduler::forward(const Step& step) {
  try {
    model_.decoder().forward(step.chunks, scores_);
    return true;
  } catch (const std::exception& cause) {  // no memory, or a kernel that cannot run
    for (RunningRequest* request : step.requests) request->fail(decoder_failure(cause));
    return false;
  }
}

void LocalGenerator::Scheduler::take_scores(const Step& step) {
  const std::size_t row_size = model_.config().vocabulary_size;
  RR_CHECK(scores_.size() == step.num_rows * row_size, "a row of scores for each position wanted");
  model_.pool().run(step.requests.size(), [&](std::size_t i) {
    const std::span<const float> scores(scores_.data() + step.first_rows[i] * row_size,
                                        Step::rows_of(step.chunks[i]) * row_size);
    step.requests[i]->take(step.chunks[i], scores, row_size);
  });
  for (RunningRequest* request : step.requests) {
    if (request->is_finished() || request->num_tokens() <= model_.context_length()) continue;
    request->fail({Errc::kRejected,
                   fmt::format("the text grew longer than the model's context of {}",
                               model_.context_length()),
                   ""});
  }
}

void LocalGenerator::Scheduler::tell(const Step& step) {
  for (RunningRequest* request : step.requests) {
    if (!request->is_finished()) request->tell_text();
  }
  std::erase_if(running_, [this](Job& job) {
    if (!job.request->is_finished()) return false;
    job.request->tell_end();
    kv_bytes_taken_ -= job.kv_bytes;
    return true;
  });
}

LocalGenerator::LocalGenerator(LocalModel& model, const LocalGeneratorOptions& options)
    : scheduler_(std::make_unique<Scheduler>(model, options)) {}

LocalGenerator::~LocalGenerator() = default;

Result<GenerationId> LocalGenerator::submit(GenerationRequest request,
                                            GenerationListener listener) {
  return scheduler_->submit(std::move(request), std::move(listener));
}

void LocalGenerator::cancel(GenerationId id) { scheduler_->cancel(id); }

const TextModel* LocalGenerator::text_model() const { return &scheduler_->text_model(); }

LocalGenerator::Counters LocalGenerator::counters() const { return scheduler_->counters(); }

}  // namespace rr
