#include "rr/lm_remote/remote_generator.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/random.h"
#include "rr/lm_remote/internal/dialect.h"
#include "rr/lm_remote/internal/endpoint_health.h"
#include "rr/lm_remote/internal/failure.h"
#include "rr/lm_remote/internal/guide.h"
#include "rr/lm_remote/internal/http_call.h"
#include "rr/lm_remote/internal/probe.h"
#include "rr/lm_remote/internal/reply.h"
#include "rr/lm_remote/internal/request_body.h"

namespace rr {
namespace {

using internal::AnswerPlan;
using internal::Dialect;
using internal::EndpointHealth;
using internal::Failure;
using internal::HttpCall;
using internal::HttpOutcome;
using internal::HttpSettings;
using internal::Probed;
using internal::Remedy;
using internal::Reply;
using internal::ReplyReader;
using internal::RequestBody;
using internal::Seconds;

constexpr Seconds kTick_s = 0.02;   // how closely limits and waits are kept
constexpr Seconds kIdle_s = 10;     // nothing to do: submit() wakes the thread
constexpr Seconds kSweep_s = 0.25;  // between looks at the deadlines of all that wait

Seconds now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Endpoint {
  std::string address;
  Dialect dialect;
  bool is_known = false;  // it has said what it is
  EndpointHealth health;
  EndpointReport report;
  Error last_failure{Errc::kUnavailable, "", ""};
};

// One request on its way, over all its attempts.
struct Job {
  GenerationId id;
  GenerationRequest request;
  AnswerPlan plan;
  GenerationListener listener;

  Seconds submitted_at;
  std::optional<Seconds> first_sent_at;
  Seconds not_before = 0;
  std::size_t attempts = 0;              // that count (RemoteOptions::max_attempts)
  std::size_t waits = 0;                 // in a row, for the growth of the pauses
  std::optional<std::size_t> failed_at;  // the endpoint of the last failure

  // The second call of a reply that ran out of tokens in its thoughts: what stands so far, and the
  // first reply, to fall back on.
  std::optional<Reply> first_reply;
  std::string written;

  std::string told;   // text that the listener has
  bool tells = true;  // until an attempt fails
  double prefill_s = 0;
  double decode_s = 0;
  bool is_cancelled = false;
};
using JobPtr = std::unique_ptr<Job>;

// One call under way: an attempt of a job, or without a job the question what an endpoint is.
struct Attempt {
  JobPtr job;
  std::size_t endpoint;
  Dialect dialect;  // as it was when the call was made
  Seconds sent_at;
  std::optional<Seconds> first_byte_at;
  Seconds window_start = 0;         // for the limit on slowness
  std::size_t window_received = 0;  // bytes before it
  std::unique_ptr<ReplyReader> reader;
  std::string probe_body;
  std::unique_ptr<HttpCall> call;
};

Completion failed_completion(StopReason stop, std::optional<Error> error) {
  Completion completion;
  completion.stop = stop;
  completion.error = std::move(error);
  return completion;
}

std::size_t first_written_stage(const std::vector<Stage>& stages) {
  const auto is_written = [](const Stage& s) { return !std::holds_alternative<ForcedStage>(s); };
  const auto it = std::find_if(stages.begin(), stages.end(), is_written);
  return it == stages.end() ? 0 : static_cast<std::size_t>(it - stages.begin());
}

// Ends a text where the first of its stop strings ends; for servers that took not all of them.
bool cut_at_stop(std::string& text, const std::vector<std::string>& stop) {
  std::size_t end = std::string::npos;
  for (const std::string& one : stop) {
    const std::size_t at = one.empty() ? std::string::npos : text.find(one);
    if (at != std::string::npos) end = std::min(end, at + one.size());
  }
  if (end == std::string::npos) return false;
  text.resize(end);
  return true;
}

// What the options forbid, whatever a server can do.
void restrict(Dialect& dialect, const RemoteOptions& options) {
  if (!options.stream) dialect.stream = false;
  if (!options.logprobs) dialect.logprobs = false;
  if (!options.guided) dialect.guide = internal::GuideField::kNone;
}

Completion completion_of(const Job& job, const Reply& reply) {
  Completion completion;
  completion.text = job.written + text_of(reply);
  completion.stop = reply.finish == "length" ? StopReason::kLength : StopReason::kEnd;
  if (!reply.stop_text.empty()) {
    if (!completion.text.ends_with(reply.stop_text)) completion.text += reply.stop_text;
    completion.stop = StopReason::kStop;
  }
  if (cut_at_stop(completion.text, job.plan.stop)) completion.stop = StopReason::kStop;
  completion.prompt_tokens = reply.prompt_tokens;
  completion.stages.resize(job.request.stages.size());
  if (completion.stages.empty()) return completion;
  StageReport& written = completion.stages[first_written_stage(job.request.stages)];
  written.num_tokens = reply.completion_tokens;
  written.stop = completion.stop;
  for (std::size_t i = 0; i < completion.stages.size(); ++i) {
    const auto* order = std::get_if<PermutationStage>(&job.request.stages[i]);
    if (order != nullptr) {
      completion.stages[i].choices = internal::choices_from_tokens(reply.tokens, order->size);
    }
  }
  if (job.first_reply) {
    written.num_tokens += job.first_reply->completion_tokens;
    written.stop = StopReason::kLength;
    const bool is_known = reply.usage_known && job.first_reply->usage_known;
    completion.prompt_tokens = is_known ? reply.prompt_tokens + job.first_reply->prompt_tokens : 0;
  }
  return completion;
}

}  // namespace

// The thread that does the waiting, and what it shares with those who submit.
class RemoteGenerator::Scheduler {
 public:
  Scheduler(RemoteOptions options, std::vector<Endpoint> endpoints);
  ~Scheduler();

  Result<GenerationId> submit(GenerationRequest request, GenerationListener listener);
  void cancel(GenerationId id);
  RemoteReport report() const;
  const std::string& model() const { return options_.model; }

 private:
  void run();
  bool take_news();
  void send_waiting(Seconds now);
  void probe_unknown(Seconds now);
  std::optional<std::size_t> choose_endpoint(const Job& job, Seconds now) const;
  void send(JobPtr job, std::size_t endpoint, Seconds now);
  void start(std::unique_ptr<Attempt> attempt, const std::string& path, std::string body);
  void read_messages();
  void wait();
  Seconds longest_wait() const;

  std::unique_ptr<Attempt> remove(CURL* handle);
  void end_attempt(std::unique_ptr<Attempt> attempt, CURLcode code);
  void end_probe(Attempt& attempt, const HttpOutcome& outcome, Seconds now);
  void handle_reply(Attempt& attempt, Reply reply, Seconds now);
  void handle_failure(Attempt& attempt, Failure failure, Seconds now);
  bool learn_from(Attempt& attempt, const HttpOutcome& outcome, const Failure& failure);
  bool wants_second_call(const Attempt& attempt, const Reply& reply) const;
  void try_again(JobPtr job, const Failure& failure, Seconds now);

  void check_limits(Seconds now);
  std::optional<std::string> broken_limit(Attempt& attempt, Seconds now) const;
  void end_overdue(Seconds now);
  void end_all_cancelled();
  void complete(JobPtr job, Completion completion);
  void fail(JobPtr job, Error error);
  void publish();

  const RemoteOptions options_;
  const HttpSettings http_;

  // Shared.
  mutable std::mutex mutex_;
  std::vector<JobPtr> new_jobs_;
  std::vector<GenerationId> new_cancels_;
  bool is_closing_ = false;
  GenerationId next_id_ = 1;
  RemoteReport published_;

  // The thread's own.
  CURLM* multi_;
  std::vector<Endpoint> endpoints_;
  std::deque<JobPtr> ready_;
  std::vector<JobPtr> delayed_;
  std::unordered_map<CURL*, std::unique_ptr<Attempt>> running_;
  std::unordered_set<GenerationId> open_ids_;
  std::optional<Seconds> all_down_since_;
  Seconds last_sweep_ = 0;
  RandomStream random_;
  RemoteReport report_;

  std::thread thread_;
};

RemoteGenerator::Scheduler::Scheduler(RemoteOptions options, std::vector<Endpoint> endpoints)
    : options_(std::move(options)),
      http_{options_.connect_s, options_.key, options_.proxy, options_.ca_file},
      multi_(curl_multi_init()),
      endpoints_(std::move(endpoints)),
      random_(options_.seed, stream_of("remote retries")) {
  RR_CHECK(multi_ != nullptr, "memory for curl's multi handle");
  const auto connections =
      static_cast<long>(options_.most_concurrency * std::max<std::size_t>(1, endpoints_.size()));
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, connections);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
  publish();
  thread_ = std::thread([this] { run(); });
}

RemoteGenerator::Scheduler::~Scheduler() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  curl_multi_wakeup(multi_);
  thread_.join();
  curl_multi_cleanup(multi_);
}

Result<GenerationId> RemoteGenerator::Scheduler::submit(GenerationRequest request,
                                                        GenerationListener listener) {
  if (request.stages.empty()) return Error{Errc::kRejected, "a request without a stage", ""};
  for (const Stage& stage : request.stages) {
    if (!std::holds_alternative<TokenChoiceStage>(stage)) continue;
    return Error{Errc::kRejected,
                 "a server's model cannot be asked for the probabilities of tokens", ""};
  }
  auto job = std::make_unique<Job>();
  job->plan = internal::plan_of(request.stages);
  job->request = std::move(request);
  job->listener = std::move(listener);
  job->submitted_at = now_s();
  GenerationId id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = job->id = next_id_++;
    new_jobs_.push_back(std::move(job));
  }
  curl_multi_wakeup(multi_);
  return id;
}

void RemoteGenerator::Scheduler::cancel(GenerationId id) {
  {
    const std::lock_guard lock(mutex_);
    new_cancels_.push_back(id);
  }
  curl_multi_wakeup(multi_);
}

RemoteReport RemoteGenerator::Scheduler::report() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

void RemoteGenerator::Scheduler::publish() {
  report_.endpoints.clear();
  for (Endpoint& endpoint : endpoints_) {
    endpoint.report.concurrency = endpoint.health.concurrency();
    endpoint.report.outages = endpoint.health.outages();
    endpoint.report.answer_s = endpoint.health.answer_s().value_or(0);
    report_.endpoints.push_back(endpoint.report);
  }
  const std::lock_guard lock(mutex_);
  published_ = report_;
}

void RemoteGenerator::Scheduler::run() {
  internal::hold_back_sigpipe();
  while (take_news()) {
    const Seconds now = now_s();
    probe_unknown(now);
    send_waiting(now);
    int num_running = 0;
    curl_multi_perform(multi_, &num_running);
    read_messages();
    check_limits(now_s());
    end_overdue(now_s());
    wait();
  }
  end_all_cancelled();
}

// False: the generator is going.
bool RemoteGenerator::Scheduler::take_news() {
  std::vector<JobPtr> jobs;
  std::vector<GenerationId> cancels;
  {
    const std::lock_guard lock(mutex_);
    jobs.swap(new_jobs_);
    cancels.swap(new_cancels_);
    if (is_closing_) {
      new_jobs_.swap(jobs);
      return false;
    }
  }
  for (JobPtr& job : jobs) {
    open_ids_.insert(job->id);
    ready_.push_back(std::move(job));
  }
  for (const GenerationId id : cancels) {
    if (!open_ids_.contains(id)) continue;
    const auto is_it = [id](const JobPtr& job) { return job->id == id; };
    for (auto& [handle, attempt] : running_) {
      if (attempt->job && attempt->job->id == id) attempt->job->is_cancelled = true;
    }
    if (const auto it = std::find_if(ready_.begin(), ready_.end(), is_it); it != ready_.end()) {
      JobPtr job = std::move(*it);
      ready_.erase(it);
      complete(std::move(job), failed_completion(StopReason::kCancelled, std::nullopt));
    } else if (const auto later = std::find_if(delayed_.begin(), delayed_.end(), is_it);
               later != delayed_.end()) {
      JobPtr job = std::move(*later);
      delayed_.erase(later);
      complete(std::move(job), failed_completion(StopReason::kCancelled, std::nullopt));
    }
  }
  return true;
}

// An endpoint that was down at the start is asked what it is before it gets a request.
void RemoteGenerator::Scheduler::probe_unknown(Seconds now) {
  if (ready_.empty() && delayed_.empty() && running_.empty()) return;
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    Endpoint& endpoint = endpoints_[i];
    if (endpoint.is_known || endpoint.health.in_flight() > 0 || !endpoint.health.may_send(now)) {
      continue;
    }
    auto attempt = std::make_unique<Attempt>();
    attempt->endpoint = i;
    attempt->sent_at = now;
    start(std::move(attempt), "/models", "");
  }
}

std::optional<std::size_t> RemoteGenerator::Scheduler::choose_endpoint(const Job& job,
                                                                       Seconds now) const {
  double known_s = 0;
  std::size_t num_known = 0;
  for (const Endpoint& endpoint : endpoints_) {
    if (!endpoint.health.answer_s()) continue;
    known_s += *endpoint.health.answer_s();
    ++num_known;
  }
  const double fallback_s = num_known == 0 ? 1 : known_s / static_cast<double>(num_known);
  std::optional<std::size_t> best;
  const auto rank = [&](std::size_t i) {
    return std::pair(job.failed_at == i, endpoints_[i].health.expected_s(fallback_s));
  };
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    const Endpoint& endpoint = endpoints_[i];
    if (!endpoint.is_known || !endpoint.health.may_send(now)) continue;
    if (job.first_reply && !endpoint.dialect.continues_messages) continue;
    if (!best || rank(i) < rank(*best)) best = i;
  }
  return best;
}

void RemoteGenerator::Scheduler::send_waiting(Seconds now) {
  for (std::size_t i = 0; i < delayed_.size();) {
    if (delayed_[i]->not_before > now) {
      ++i;
      continue;
    }
    ready_.push_front(std::move(delayed_[i]));
    delayed_[i] = std::move(delayed_.back());
    delayed_.pop_back();
  }
  while (!ready_.empty()) {
    const auto endpoint = choose_endpoint(*ready_.front(), now);
    if (!endpoint) return;
    JobPtr job = std::move(ready_.front());
    ready_.pop_front();
    send(std::move(job), *endpoint, now);
  }
}

void RemoteGenerator::Scheduler::send(JobPtr job, std::size_t index, Seconds now) {
  Endpoint& endpoint = endpoints_[index];
  const RequestBody body =
      job->first_reply
          ? internal::continuing_call(job->request, job->plan, options_.model, endpoint.dialect,
                                      job->written)
          : internal::first_call(job->request, job->plan, options_.model, endpoint.dialect);
  auto attempt = std::make_unique<Attempt>();
  if (!job->first_sent_at) job->first_sent_at = now;
  attempt->job = std::move(job);
  attempt->endpoint = index;
  attempt->dialect = endpoint.dialect;
  attempt->sent_at = now;
  start(std::move(attempt), body.path, body.json);
}

void RemoteGenerator::Scheduler::start(std::unique_ptr<Attempt> attempt, const std::string& path,
                                       std::string body) {
  Endpoint& endpoint = endpoints_[attempt->endpoint];
  Attempt* raw = attempt.get();
  const auto tell = [raw](std::string_view text) {
    Job& job = *raw->job;
    if (!job.tells || job.is_cancelled) return;
    job.told += text;
    job.listener({text, nullptr});
  };
  const auto receive = [this, raw, tell](std::string_view bytes, bool is_stream) -> Status {
    if (!raw->first_byte_at) raw->first_byte_at = raw->window_start = now_s();
    if (!raw->job) {
      raw->probe_body += bytes;
      if (raw->probe_body.size() <= options_.max_response_bytes) return ok_status();
      return Error{Errc::kRejected, "the list of models is too large", ""};
    }
    if (!raw->reader) {
      raw->reader = std::make_unique<ReplyReader>(is_stream, options_.max_response_bytes,
                                                  endpoints_[raw->endpoint].address, tell);
    }
    return raw->reader->feed(bytes);
  };
  attempt->call =
      std::make_unique<HttpCall>(endpoint.address + path, std::move(body), http_, receive);
  endpoint.health.sent();
  CURL* handle = attempt->call->handle();
  running_.emplace(handle, std::move(attempt));
  RR_CHECK(curl_multi_add_handle(multi_, handle) == CURLM_OK, "a call can be started");
}

void RemoteGenerator::Scheduler::read_messages() {
  int num_left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &num_left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    end_attempt(remove(message->easy_handle), code);
  }
}

std::unique_ptr<Attempt> RemoteGenerator::Scheduler::remove(CURL* handle) {
  const auto it = running_.find(handle);
  RR_CHECK(it != running_.end(), "a call that is under way");
  std::unique_ptr<Attempt> attempt = std::move(it->second);
  running_.erase(it);
  curl_multi_remove_handle(multi_, handle);
  return attempt;
}

void RemoteGenerator::Scheduler::end_attempt(std::unique_ptr<Attempt> attempt, CURLcode code) {
  const Seconds now = now_s();
  const HttpOutcome outcome = attempt->call->outcome(code);
  Endpoint& endpoint = endpoints_[attempt->endpoint];
  if (!attempt->job) return end_probe(*attempt, outcome, now);
  if (attempt->job->is_cancelled) {
    endpoint.health.ended();
    return complete(std::move(attempt->job),
                    failed_completion(StopReason::kCancelled, std::nullopt));
  }
  const auto failure_from = [this](const Error& error) {
    const bool is_passing = error.code == Errc::kUnavailable;
    Error said = error;
    said.message = internal::without_key(std::move(said.message), options_.key);
    return Failure{is_passing ? Remedy::kRetry : Remedy::kNone, std::move(said), {}};
  };
  if (const auto& refused = attempt->call->refused()) {
    return handle_failure(*attempt, failure_from(*refused), now);
  }
  if (code != CURLE_OK || outcome.status != 200) {
    Failure failure =
        internal::failure_of(outcome, attempt->call->error_body(), endpoint.address, options_.key);
    if (learn_from(*attempt, outcome, failure)) {
      endpoint.health.ended();
      ready_.push_front(std::move(attempt->job));
      return;
    }
    return handle_failure(*attempt, std::move(failure), now);
  }
  if (!attempt->reader) {  // a body without a byte
    attempt->reader = std::make_unique<ReplyReader>(
        attempt->call->is_stream(), options_.max_response_bytes, endpoint.address, nullptr);
  }
  auto reply = attempt->reader->finish();
  if (!reply.ok()) return handle_failure(*attempt, failure_from(reply.error()), now);
  handle_reply(*attempt, std::move(reply).value(), now);
}

void RemoteGenerator::Scheduler::end_probe(Attempt& attempt, const HttpOutcome& outcome,
                                           Seconds now) {
  Endpoint& endpoint = endpoints_[attempt.endpoint];
  Probed probed;
  bool is_up = outcome.curl == CURLE_OK && outcome.status >= 400 && outcome.status < 500 &&
               outcome.status != 429;
  if (outcome.curl == CURLE_OK && outcome.status == 200) {
    auto read = internal::read_probe(attempt.probe_body, "", endpoint.address);
    is_up = read.ok();
    if (read.ok()) probed = std::move(read).value();
  }
  if (!is_up) {
    endpoint.health.failed(now);
    endpoint.last_failure =
        internal::failure_of(outcome, attempt.call->error_body(), endpoint.address, options_.key)
            .error;
    return;
  }
  endpoint.health.back();
  endpoint.is_known = true;
  endpoint.dialect = probed.dialect;
  endpoint.report.server = probed.server;
  restrict(endpoint.dialect, options_);
}

// Gives up what the server refused by name; true where the same request can be sent again without
// it. Others that were under way with it meet the same refusal: `attempt.dialect` is what they had.
bool RemoteGenerator::Scheduler::learn_from(Attempt& attempt, const HttpOutcome& outcome,
                                            const Failure& failure) {
  const bool says_why = outcome.curl == CURLE_OK &&
                        (outcome.status == 400 || outcome.status == 422 || outcome.status == 500);
  if (!says_why) return false;
  if (internal::learn(attempt.dialect, failure.error.message).empty()) return false;
  Endpoint& endpoint = endpoints_[attempt.endpoint];
  const std::string note = internal::learn(endpoint.dialect, failure.error.message);
  if (!note.empty()) report_.notes.push_back(endpoint.address + " " + note);
  return true;
}

bool RemoteGenerator::Scheduler::wants_second_call(const Attempt& attempt,
                                                   const Reply& reply) const {
  const Job& job = *attempt.job;
  const std::string text = text_of(reply);
  return !job.first_reply && job.plan.wants_order && !job.plan.close_thoughts.empty() &&
         reply.finish == "length" && endpoints_[attempt.endpoint].dialect.continues_messages &&
         std::holds_alternative<Messages>(job.request.prompt) &&
         reply.content.find("</think>") == std::string::npos &&
         (reply.thoughts.empty() || reply.content.empty());
}

void RemoteGenerator::Scheduler::handle_reply(Attempt& attempt, Reply reply, Seconds now) {
  Endpoint& endpoint = endpoints_[attempt.endpoint];
  Job& job = *attempt.job;
  const Seconds first_byte_at = attempt.first_byte_at.value_or(now);
  endpoint.health.answered(now, first_byte_at - attempt.sent_at, now - attempt.sent_at);
  ++endpoint.report.answers;
  report_.repaired_bytes += reply.repaired;
  if (!reply.usage_known) ++report_.unknown_usage;
  if (!job.first_reply) job.prefill_s = first_byte_at - attempt.sent_at;
  job.decode_s += now - first_byte_at;
  if (wants_second_call(attempt, reply)) {
    ++report_.continued;
    job.written = reply.thoughts.empty() ? reply.content : "<think>\n" + reply.thoughts;
    job.written += job.plan.close_thoughts;
    job.first_reply = std::move(reply);
    job.tells = false;
    ready_.push_front(std::move(attempt.job));
    return;
  }
  Completion completion = completion_of(job, reply);
  completion.queued_s = *job.first_sent_at - job.submitted_at;
  completion.prefill_s = job.prefill_s;
  completion.decode_s = job.decode_s;
  complete(std::move(attempt.job), std::move(completion));
}

void RemoteGenerator::Scheduler::handle_failure(Attempt& attempt, Failure failure, Seconds now) {
  Endpoint& endpoint = endpoints_[attempt.endpoint];
  JobPtr job = std::move(attempt.job);
  if (!job->told.empty()) job->tells = false;
  switch (failure.remedy) {
    case Remedy::kWait:
      ++endpoint.report.busy;
      endpoint.health.busy(now, attempt.sent_at, failure.retry_after_s);
      break;
    case Remedy::kRetry:
    case Remedy::kReconnect:
      ++endpoint.report.failures;
      endpoint.health.failed(now);
      break;
    case Remedy::kNone:
      endpoint.health.ended();
      break;
  }
  endpoint.last_failure = failure.error;
  if (failure.remedy == Remedy::kNone && job->first_reply) {
    // It cannot go on after all; what was paid for is still an answer.
    endpoint.dialect.continues_messages = false;
    report_.notes.push_back(endpoint.address + " cannot close thoughts that ran out of tokens");
    Reply first = std::move(*job->first_reply);
    job->first_reply.reset();
    job->written.clear();
    Completion completion = completion_of(*job, first);
    return complete(std::move(job), std::move(completion));
  }
  if (failure.remedy == Remedy::kNone) return fail(std::move(job), std::move(failure.error));
  job->failed_at = attempt.endpoint;
  if (failure.remedy == Remedy::kRetry) ++job->attempts;
  try_again(std::move(job), failure, now);
}

void RemoteGenerator::Scheduler::try_again(JobPtr job, const Failure& failure, Seconds now) {
  if (job->attempts >= options_.max_attempts) {
    Error error = failure.error;
    error.message = fmt::format("gave up after {} attempts: {}", job->attempts, error.message);
    return fail(std::move(job), std::move(error));
  }
  const double growth = std::exp2(std::min<double>(16, static_cast<double>(job->waits++)));
  double pause_s = std::min(options_.most_retry_s, options_.first_retry_s * growth);
  pause_s *= 0.5 + 0.5 * random_.uniform();
  const bool has_others = endpoints_.size() > 1;
  if (failure.retry_after_s && !has_others) pause_s = std::max(pause_s, *failure.retry_after_s);
  job->not_before = now + pause_s;
  const Seconds deadline = *job->first_sent_at + options_.deadline_s;
  if (job->not_before >= deadline) {
    Error error = failure.error;
    error.message = fmt::format("no answer within {:g} s, the last attempt: {}",
                                options_.deadline_s, error.message);
    if (failure.retry_after_s) {
      error.message += fmt::format("; the server wants {:g} s of waiting", *failure.retry_after_s);
    }
    return fail(std::move(job), std::move(error));
  }
  ++report_.retries;
  delayed_.push_back(std::move(job));
}

// Why an attempt is given up now; nothing where it may go on.
std::optional<std::string> RemoteGenerator::Scheduler::broken_limit(Attempt& attempt,
                                                                    Seconds now) const {
  const std::size_t received = attempt.call->received();
  if (!attempt.first_byte_at) {
    const double limit_s = attempt.job ? options_.first_byte_s : 2 * options_.connect_s;
    if (now - attempt.sent_at <= limit_s) return std::nullopt;
    return fmt::format("no byte of an answer within {:g} s", limit_s);
  }
  if (now - attempt.window_start < options_.slow_s) return std::nullopt;
  const auto fresh = static_cast<double>(received - attempt.window_received);
  if (fresh < options_.min_bytes_per_s * options_.slow_s) {
    return fmt::format("the answer came at less than {:g} bytes a second for {:g} s",
                       options_.min_bytes_per_s, options_.slow_s);
  }
  attempt.window_start = now;
  attempt.window_received = received;
  return std::nullopt;
}

void RemoteGenerator::Scheduler::check_limits(Seconds now) {
  std::vector<std::pair<CURL*, Failure>> given_up;
  for (const auto& [handle, attempt] : running_) {
    const std::string& where = endpoints_[attempt->endpoint].address;
    const Job* job = attempt->job.get();
    if (job != nullptr && now > *job->first_sent_at + options_.deadline_s) {
      given_up.push_back({handle,
                          {Remedy::kNone,
                           {Errc::kUnavailable,
                            fmt::format("no answer within {:g} s", options_.deadline_s), where},
                           {}}});
    } else if (const auto why = broken_limit(*attempt, now)) {
      given_up.push_back({handle, {Remedy::kRetry, {Errc::kUnavailable, *why, where}, {}}});
    } else if (job != nullptr && job->is_cancelled) {
      given_up.push_back({handle, {Remedy::kNone, {Errc::kUnavailable, "", where}, {}}});
    }
  }
  for (auto& [handle, failure] : given_up) {
    const std::unique_ptr<Attempt> attempt = remove(handle);
    Endpoint& endpoint = endpoints_[attempt->endpoint];
    if (!attempt->job) {
      endpoint.health.failed(now);
      endpoint.last_failure = failure.error;
    } else if (attempt->job->is_cancelled) {
      endpoint.health.ended();
      complete(std::move(attempt->job), failed_completion(StopReason::kCancelled, std::nullopt));
    } else {
      handle_failure(*attempt, std::move(failure), now);
    }
  }
}

// Fails what waits past its deadline, and everything that waits once no endpoint has been up for
// that long.
void RemoteGenerator::Scheduler::end_overdue(Seconds now) {
  if (now < last_sweep_ + kSweep_s) return;
  last_sweep_ = now;
  const bool all_down = std::all_of(endpoints_.begin(), endpoints_.end(),
                                    [](const Endpoint& e) { return e.health.is_down(); });
  const bool has_work = !ready_.empty() || !delayed_.empty();
  if (!all_down || !has_work) all_down_since_.reset();
  if (all_down && has_work && !all_down_since_) all_down_since_ = now;
  const bool is_hopeless = all_down_since_ && now - *all_down_since_ > options_.deadline_s;
  const auto is_overdue = [&](const Job& job) {
    return is_hopeless || (job.first_sent_at && now > *job.first_sent_at + options_.deadline_s);
  };
  std::vector<JobPtr> overdue;
  const auto take_from = [&](auto& jobs) {
    const auto keep = std::stable_partition(jobs.begin(), jobs.end(),
                                            [&](const JobPtr& job) { return !is_overdue(*job); });
    std::move(keep, jobs.end(), std::back_inserter(overdue));
    jobs.erase(keep, jobs.end());
  };
  take_from(ready_);
  take_from(delayed_);
  for (JobPtr& job : overdue) {
    Error error = endpoints_[job->failed_at.value_or(0)].last_failure;
    const char* what = is_hopeless ? "no endpoint has been up for" : "no answer within";
    error.message =
        fmt::format("{} {:g} s, the last failure: {}", what, options_.deadline_s, error.message);
    fail(std::move(job), std::move(error));
  }
}

Seconds RemoteGenerator::Scheduler::longest_wait() const {
  return running_.empty() && ready_.empty() && delayed_.empty() ? kIdle_s : kTick_s;
}

void RemoteGenerator::Scheduler::wait() {
  const auto milliseconds = static_cast<int>(longest_wait() * 1000);
  int num_ready = 0;
  curl_multi_poll(multi_, nullptr, 0, milliseconds, &num_ready);
}

void RemoteGenerator::Scheduler::complete(JobPtr job, Completion completion) {
  open_ids_.erase(job->id);
  publish();
  std::string_view rest;
  const std::string_view text = completion.text;
  if (text.starts_with(job->told)) rest = text.substr(job->told.size());
  job->listener({rest, &completion});
}

void RemoteGenerator::Scheduler::fail(JobPtr job, Error error) {
  complete(std::move(job), failed_completion(StopReason::kFailed, std::move(error)));
}

void RemoteGenerator::Scheduler::end_all_cancelled() {
  std::vector<JobPtr> jobs;
  while (!running_.empty()) {
    std::unique_ptr<Attempt> attempt = remove(running_.begin()->first);
    if (attempt->job) jobs.push_back(std::move(attempt->job));
  }
  std::move(ready_.begin(), ready_.end(), std::back_inserter(jobs));
  std::move(delayed_.begin(), delayed_.end(), std::back_inserter(jobs));
  {
    const std::lock_guard lock(mutex_);
    std::move(new_jobs_.begin(), new_jobs_.end(), std::back_inserter(jobs));
    new_jobs_.clear();
  }
  for (JobPtr& job : jobs) {
    complete(std::move(job), failed_completion(StopReason::kCancelled, std::nullopt));
  }
}

namespace {

// An address, and what asking it gave.
struct Asked {
  std::string address;
  std::optional<Probed> probed;
  Failure failure{Remedy::kNone, {Errc::kUnavailable, "", ""}, {}};
};

// All at once: each may take its time.
Result<std::vector<Asked>> ask_endpoints(const RemoteOptions& options) {
  const HttpSettings http{options.connect_s, options.key, options.proxy, options.ca_file};
  std::vector<Asked> asked;
  for (const std::string& text : options.endpoints) {
    RR_TRY(std::string address, internal::endpoint_address(text));
    asked.emplace_back().address = std::move(address);
  }
  std::vector<std::future<void>> under_way;
  for (Asked& one : asked) {
    under_way.push_back(std::async(std::launch::async, [&one, &http] {
      internal::hold_back_sigpipe();
      one.probed = internal::probe(one.address, http, one.failure);
    }));
  }
  for (std::future<void>& future : under_way) future.get();
  return asked;
}

// Refuses what no waiting helps: a refusal, or nobody there at all.
Status check_asked(const std::vector<Asked>& asked) {
  const Failure* unreachable = nullptr;
  for (const Asked& one : asked) {
    if (one.probed) continue;
    if (one.failure.remedy == Remedy::kNone) return one.failure.error;
    if (unreachable == nullptr) unreachable = &one.failure;
  }
  const bool is_any_up = std::any_of(asked.begin(), asked.end(),
                                     [](const Asked& one) { return one.probed.has_value(); });
  if (is_any_up) return ok_status();
  Error error = unreachable->error;
  error.message =
      fmt::format("{}cannot be used now: {}",
                  asked.size() > 1 ? "this endpoint and all others " : "", error.message);
  return error;
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) {
    list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", name);
  }
  return list;
}

// The model's name, checked against what the endpoints serve.
Result<std::string> find_model_name(const RemoteOptions& options, const std::vector<Asked>& asked) {
  std::vector<std::string> all;
  for (const Asked& one : asked) {
    if (!one.probed) continue;
    const std::vector<std::string>& names = one.probed->models;
    const bool has_it = std::find(names.begin(), names.end(), options.model) != names.end();
    // Hosted services may know more names than they list.
    const bool is_known = one.probed->dialect.kind != internal::ServerKind::kUnknown;
    if (!options.model.empty() && is_known && !names.empty() && !has_it) {
      return Error{Errc::kNotFound,
                   fmt::format("expected the model \"{}\", but this server has {}", options.model,
                               quoted_list(names)),
                   one.address};
    }
    for (const std::string& name : names) {
      if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
    }
  }
  if (!options.model.empty()) return options.model;
  if (all.size() == 1) return all.front();
  const std::string found = all.empty() ? "no list of models" : quoted_list(all);
  return Error{Errc::kRejected,
               fmt::format("expected a model's name (--model), for the servers "
                           "have {}",
                           found),
               asked.front().address};
}

Endpoint endpoint_of(const Asked& asked, const RemoteOptions& options) {
  Endpoint endpoint{asked.address,
                    {},
                    asked.probed.has_value(),
                    EndpointHealth(options.first_concurrency, options.most_concurrency),
                    {},
                    asked.failure.error};
  endpoint.report.url = asked.address;
  if (!asked.probed) {
    endpoint.health.mark_down(now_s());
    return endpoint;
  }
  endpoint.dialect = asked.probed->dialect;
  endpoint.report.server = asked.probed->server;
  return endpoint;
}

}  // namespace

RemoteGenerator::RemoteGenerator(std::unique_ptr<Scheduler> scheduler)
    : scheduler_(std::move(scheduler)) {}

RemoteGenerator::~RemoteGenerator() = default;

Result<std::unique_ptr<RemoteGenerator>> RemoteGenerator::connect(RemoteOptions options) {
  if (options.endpoints.empty()) {
    return Error{Errc::kRejected, "expected at least one endpoint", ""};
  }
  RR_TRY_STATUS(internal::check_key(options.key));
  RR_TRY(const std::vector<Asked> asked, ask_endpoints(options));
  RR_TRY_STATUS(check_asked(asked));
  RR_TRY(options.model, find_model_name(options, asked));
  std::vector<Endpoint> endpoints;
  for (const Asked& one : asked) {
    endpoints.push_back(endpoint_of(one, options));
    restrict(endpoints.back().dialect, options);
  }
  return std::unique_ptr<RemoteGenerator>(
      new RemoteGenerator(std::make_unique<Scheduler>(std::move(options), std::move(endpoints))));
}

Result<GenerationId> RemoteGenerator::submit(GenerationRequest request,
                                             GenerationListener listener) {
  return scheduler_->submit(std::move(request), std::move(listener));
}

void RemoteGenerator::cancel(GenerationId id) { scheduler_->cancel(id); }

const std::string& RemoteGenerator::model() const { return scheduler_->model(); }

RemoteReport RemoteGenerator::report() const { return scheduler_->report(); }

}  // namespace rr
