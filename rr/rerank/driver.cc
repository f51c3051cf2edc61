#include "rr/rerank/driver.h"

#include <fmt/core.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "rr/base/check.h"

namespace rr {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What the generator said about one topic's window.
struct WindowEvent {
  std::size_t topic;
  std::string text;
  std::optional<Completion> completion;
};

// Events on their way from the generator's threads. Listeners share it, so that one that speaks
// late, after a failed run was left, speaks into a box that nobody reads.
class Mailbox {
 public:
  void put(WindowEvent event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    arrived_.notify_one();
  }

  WindowEvent wait() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !events_.empty(); });
    WindowEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<WindowEvent> events_;
};

struct TopicInFlight {
  RerankSession session;
  Clock::time_point start = Clock::now();
  GenerationId generation = 0;
  std::size_t thinking_cut = 0;
};

class Driver {
 public:
  Driver(std::span<const Request> requests, Generator& generator, const WindowPlanner& planner,
         const PromptBuilder& prompts, const DriverOptions& options, RerankListener& listener)
      : requests_(requests),
        generator_(&generator),
        planner_(&planner),
        prompts_(&prompts),
        options_(&options),
        listener_(&listener) {}

  Result<RerankRun> run() {
    run_.topics.resize(requests_.size());
    const Status status = run_topics();
    for (const auto& [topic, in_flight] : in_flight_) generator_->cancel(in_flight.generation);
    if (!status.ok()) return status.error();
    run_.seconds = seconds_since(start_);
    return std::move(run_);
  }

 private:
  Status run_topics() {
    while (true) {
      while (in_flight_.size() < limit() && next_ < requests_.size()) {
        RR_TRY_STATUS(start_topic(next_++));
      }
      if (in_flight_.empty()) return ok_status();
      RR_TRY_STATUS(handle(mailbox_->wait()));
    }
  }

  std::size_t limit() const {
    const bool alone = options_->first_alone && num_done_ == 0;
    return alone ? 1 : options_->max_in_flight;
  }

  Status start_topic(std::size_t topic) {
    TopicInFlight in_flight{
        RerankSession(requests_[topic], *planner_, *prompts_, options_->session)};
    const auto [it, is_new] = in_flight_.emplace(topic, std::move(in_flight));
    RR_CHECK(is_new, "a topic starts once");
    most_in_flight_ = std::max(most_in_flight_, in_flight_.size());
    return go_on(topic, it->second);
  }

  // Asks the topic's next window, or ends the topic.
  Status go_on(std::size_t topic, TopicInFlight& in_flight) {
    const std::optional<Prompt> prompt = in_flight.session.next_prompt();
    if (!prompt) return end_topic(topic, in_flight);
    RR_TRY(AnswerRequest answer,
           make_answer_request(*prompt, in_flight.session.request().topic.qid, prompts_->mode(),
                               options_->answer, generator_->text_model()));
    if (answer.thinking_was_cut) ++in_flight.thinking_cut;
    auto submitted = generator_->submit(std::move(answer.request), listen_to(topic));
    if (!submitted.ok()) return at_window(in_flight, submitted.error());
    in_flight.generation = submitted.value();
    return ok_status();
  }

  GenerationListener listen_to(std::size_t topic) const {
    return [topic, mailbox = mailbox_,
            wants_text = listener_->wants_text()](const GenerationEvent& said) {
      WindowEvent event{topic, {}, {}};
      if (wants_text) event.text = said.text;
      if (said.completion != nullptr) event.completion = *said.completion;
      if (event.completion || !event.text.empty()) mailbox->put(std::move(event));
    };
  }

  Status handle(const WindowEvent& event) {
    TopicInFlight& in_flight = in_flight_.at(event.topic);
    if (!event.text.empty()) listener_->on_text(event.topic, event.text);
    if (!event.completion) return ok_status();
    const StopReason stop = event.completion->stop;
    if (stop == StopReason::kFailed || stop == StopReason::kCancelled) {
      const Error unknown{Errc::kUnavailable, "the model ended without an answer", ""};
      return at_window(in_flight, event.completion->error.value_or(unknown));
    }
    in_flight.session.accept(*event.completion);
    listener_->on_window(event.topic, in_flight.session);
    return go_on(event.topic, in_flight);
  }

  Status end_topic(std::size_t topic, TopicInFlight& in_flight) {
    TopicResult& result = run_.topics[topic];
    result.ranking = in_flight.session.ranking();
    result.report = in_flight.session.report();
    result.thinking_cut = in_flight.thinking_cut;
    result.seconds = seconds_since(in_flight.start);
    if (most_in_flight_ == 1 && !run_.alone_s) run_.alone_s = result.seconds;
    ++num_done_;
    const Status told = listener_->on_topic(topic, in_flight.session, result);
    in_flight_.erase(topic);
    return told;
  }

  // The error with the topic and the window that it befell.
  static Error at_window(const TopicInFlight& in_flight, Error error) {
    const RerankSession& session = in_flight.session;
    const Window& window = session.plan()[session.records().size()];
    const std::string place =
        fmt::format("topic {}, window of ranks {}-{}", session.request().topic.qid.str(),
                    window.start + 1, window.end);
    error.message = error.to_string();
    error.where = place;
    return error;
  }

  std::span<const Request> requests_;
  Generator* generator_;
  const WindowPlanner* planner_;
  const PromptBuilder* prompts_;
  const DriverOptions* options_;
  RerankListener* listener_;

  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  std::unordered_map<std::size_t, TopicInFlight> in_flight_;
  std::size_t next_ = 0;
  std::size_t num_done_ = 0;
  std::size_t most_in_flight_ = 0;
  Clock::time_point start_ = Clock::now();
  RerankRun run_;
};

}  // namespace

Result<RerankRun> rerank_all(std::span<const Request> requests, Generator& generator,
                             const WindowPlanner& planner, const PromptBuilder& prompts,
                             const DriverOptions& options, RerankListener& listener) {
  RR_CHECK(options.max_in_flight >= 1, "at least one topic in flight");
  return Driver(requests, generator, planner, prompts, options, listener).run();
}

}  // namespace rr
