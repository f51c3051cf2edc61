#include "rr/lm/dialogues.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "rr/base/check.h"
#include "rr/base/clock.h"

namespace rr {
namespace {

// What a generator said in one dialogue.
struct DialogueEvent {
  std::size_t number;
  std::string text;
  std::optional<Completion> completion;
};

// Events on their way from the generators' threads. Listeners share it, so that one that speaks
// late, after a failed run was left, speaks into a box that nobody reads.
class Mailbox {
 public:
  void put(DialogueEvent event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    arrived_.notify_one();
  }

  // nullopt: none came before `until`.
  std::optional<DialogueEvent> wait(std::optional<Clock::time_point> until) {
    std::unique_lock lock(mutex_);
    const auto is_here = [this] { return !events_.empty(); };
    if (!until) {
      arrived_.wait(lock, is_here);
    } else if (!arrived_.wait_until(lock, *until, is_here)) {
      return std::nullopt;
    }
    DialogueEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<DialogueEvent> events_;
};

struct InFlight {
  std::unique_ptr<Dialogue> dialogue;
  Generator* generator = nullptr;
  GenerationId generation = 0;
  Clock::time_point start = Clock::now();
};

class Runner {
 public:
  Runner(std::size_t count,
         const std::function<std::unique_ptr<Dialogue>(std::size_t number)>& start,
         const DialogueOptions& options)
      : count_(count), start_(&start), options_(&options) {}

  Status run() {
    Status status = run_all();
    for (const auto& [number, in_flight] : in_flight_) {
      if (in_flight.generator != nullptr) in_flight.generator->cancel(in_flight.generation);
    }
    return status;
  }

 private:
  Status run_all() {
    while (true) {
      while (in_flight_.size() < limit() && next_ < count_) RR_TRY_STATUS(start(next_++));
      if (in_flight_.empty()) return ok_status();
      const std::optional<DialogueEvent> event = mailbox_->wait(next_deadline());
      if (event) RR_TRY_STATUS(handle(*event));
      RR_TRY_STATUS(end_late_ones());
    }
  }

  std::size_t limit() const {
    const bool alone = options_->first_alone && num_done_ == 0;
    return alone ? 1 : options_->max_in_flight;
  }

  std::optional<Clock::time_point> next_deadline() const {
    std::optional<Clock::time_point> next;
    if (!options_->deadline) return next;
    for (const auto& [number, in_flight] : in_flight_) {
      const Clock::time_point its = in_flight.start + *options_->deadline;
      next = std::min(next.value_or(its), its);
    }
    return next;
  }

  Status end_late_ones() {
    if (!options_->deadline) return ok_status();
    const Clock::time_point now = Clock::now();
    std::vector<std::size_t> late;
    for (const auto& [number, in_flight] : in_flight_) {
      if (in_flight.start + *options_->deadline <= now) late.push_back(number);
    }
    for (const std::size_t number : late) {
      InFlight& in_flight = in_flight_.at(number);
      in_flight.generator->cancel(in_flight.generation);
      RR_TRY_STATUS(end(number, in_flight));
    }
    return ok_status();
  }

  Status start(std::size_t number) {
    const auto [it, is_new] = in_flight_.emplace(number, InFlight{(*start_)(number)});
    RR_CHECK(is_new, "a dialogue starts once");
    return go_on(number, it->second);
  }

  // Asks the next question, or ends the dialogue.
  Status go_on(std::size_t number, InFlight& in_flight) {
    RR_TRY(std::optional<Dialogue::Question> question, in_flight.dialogue->next());
    if (!question) return end(number, in_flight);
    in_flight.generator = nullptr;  // the last one has answered
    auto submitted = question->generator->submit(std::move(question->request),
                                                 listen_to(number, *in_flight.dialogue));
    if (!submitted.ok()) return in_flight.dialogue->at_question(submitted.error());
    in_flight.generator = question->generator;
    in_flight.generation = submitted.value();
    if (!question->expected.empty()) question->generator->expect(std::move(question->expected));
    return ok_status();
  }

  GenerationListener listen_to(std::size_t number, const Dialogue& dialogue) const {
    return [number, mailbox = mailbox_,
            wants_text = dialogue.wants_text()](const GenerationEvent& said) {
      DialogueEvent event{number, {}, {}};
      if (wants_text) event.text = said.text;
      if (said.completion != nullptr) event.completion = *said.completion;
      if (event.completion || !event.text.empty()) mailbox->put(std::move(event));
    };
  }

  Status handle(const DialogueEvent& event) {
    const auto it = in_flight_.find(event.number);
    if (it == in_flight_.end()) return ok_status();  // its time was up
    InFlight& in_flight = it->second;
    Dialogue& dialogue = *in_flight.dialogue;
    if (!event.text.empty()) dialogue.on_text(event.text);
    if (!event.completion) return ok_status();
    const StopReason stop = event.completion->stop;
    if (stop == StopReason::kFailed || stop == StopReason::kCancelled) {
      const Error unknown{Errc::kUnavailable, "the model ended without an answer", ""};
      return dialogue.at_question(event.completion->error.value_or(unknown));
    }
    RR_TRY_STATUS(dialogue.accept(*event.completion));
    return go_on(event.number, in_flight);
  }

  Status end(std::size_t number, InFlight& in_flight) {
    ++num_done_;
    Status status = in_flight.dialogue->end();
    in_flight_.erase(number);
    return status;
  }

  std::size_t count_;
  const std::function<std::unique_ptr<Dialogue>(std::size_t)>* start_;
  const DialogueOptions* options_;

  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  std::unordered_map<std::size_t, InFlight> in_flight_;
  std::size_t next_ = 0;
  std::size_t num_done_ = 0;
};

}  // namespace

Status run_dialogues(std::size_t count,
                     const std::function<std::unique_ptr<Dialogue>(std::size_t number)>& start,
                     const DialogueOptions& options) {
  RR_CHECK(options.max_in_flight >= 1, "at least one dialogue in flight");
  return Runner(count, start, options).run();
}

}  // namespace rr
