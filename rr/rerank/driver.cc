#include "rr/rerank/driver.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "rr/lm/dialogues.h"

namespace rr {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What all topics of a run share.
struct RunState {
  std::span<const Request> requests;
  Generator* generator;
  const WindowPlanner* planner;
  const PromptBuilder* prompts;
  const DriverOptions* options;
  RerankListener* listener;
  RerankRun run;
  std::size_t in_flight = 0;
  std::size_t most_in_flight = 0;
};

class TopicDialogue : public Dialogue {
 public:
  TopicDialogue(std::size_t topic, RunState& state)
      : topic_(topic),
        state_(&state),
        session_(state.requests[topic], *state.planner, *state.prompts, state.options->session) {
    ++state.in_flight;
    state.most_in_flight = std::max(state.most_in_flight, state.in_flight);
  }

  Result<std::optional<Question>> next() override {
    const std::optional<Prompt> prompt = session_.next_prompt();
    if (!prompt) return std::optional<Question>();
    RR_TRY(AnswerRequest answer,
           make_answer_request(*prompt, session_.request().topic.qid, state_->prompts->mode(),
                               state_->options->answer, state_->generator->text_model()));
    if (answer.thinking_was_cut) ++thinking_cut_;
    return std::optional(Question{state_->generator, std::move(answer.request), foreseen()});
  }

  Status accept(const Completion& completion) override {
    session_.accept(completion);
    state_->listener->on_window(topic_, session_);
    return ok_status();
  }

  Status end() override {
    TopicResult& result = state_->run.topics[topic_];
    result.ranking = session_.ranking();
    result.report = session_.report();
    result.thinking_cut = thinking_cut_;
    result.windows_left = result.report.windows_left;
    result.seconds = seconds_since(start_);
    if (state_->most_in_flight == 1 && !state_->run.alone_s) state_->run.alone_s = result.seconds;
    --state_->in_flight;
    return state_->listener->on_topic(topic_, session_, result);
  }

  Error at_question(Error error) const override {
    const Window& window = session_.plan()[session_.records().size()];
    const std::string place =
        fmt::format("topic {}, window of ranks {}-{}", session_.request().topic.qid.str(),
                    window.start + 1, window.end);
    error.message = error.to_string();
    error.where = place;
    return error;
  }

  bool wants_text() const override { return state_->listener->wants_text(); }
  void on_text(std::string_view text) override { state_->listener->on_text(topic_, text); }

 private:
  // What is certain of the next prompt already.
  TokenIds foreseen() const {
    const TextModel* const model = state_->generator->text_model();
    if (!state_->options->reads_ahead || model == nullptr) return {};
    const std::optional<RerankSession::Foreseen> foreseen = session_.foresee();
    if (!foreseen) return {};
    return common_beginning(foreseen->one, foreseen->other, state_->prompts->mode(),
                            state_->options->answer, *model);
  }

  std::size_t topic_;
  RunState* state_;
  RerankSession session_;
  Clock::time_point start_ = Clock::now();
  std::size_t thinking_cut_ = 0;
};

}  // namespace

Result<RerankRun> rerank_all(std::span<const Request> requests, Generator& generator,
                             const WindowPlanner& planner, const PromptBuilder& prompts,
                             const DriverOptions& options, RerankListener& listener) {
  const Clock::time_point start = Clock::now();
  RunState state{requests, &generator, &planner, &prompts, &options, &listener, {}, 0, 0};
  state.run.topics.resize(requests.size());
  RR_TRY_STATUS(run_dialogues(
      requests.size(),
      [&state](std::size_t topic) { return std::make_unique<TopicDialogue>(topic, state); },
      {.max_in_flight = options.max_in_flight,
       .first_alone = options.first_alone,
       .deadline = options.deadline}));
  state.run.seconds = seconds_since(start);
  return std::move(state.run);
}

}  // namespace rr
