#include "rr/rerank/internal/topic_dialogue.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <utility>

namespace rr::internal {

Status finish_topic(RunState& state, std::size_t topic, const RerankSession& session,
                    Ranking ranking, Clock::time_point start, std::size_t thinking_cut) {
  TopicResult& result = state.run.topics[topic];
  result.ranking = std::move(ranking);
  result.report = session.report();
  result.thinking_cut = thinking_cut;
  result.windows_left = result.report.windows_left;
  result.seconds = seconds_since(start);
  return state.listener->on_topic(topic, session, result);
}

TopicDialogue::TopicDialogue(std::size_t topic, RunState& state)
    : topic_(topic),
      state_(state),
      session_(state.requests[topic], *state.planner, *state.prompts, state.options->session) {
  ++state_.in_flight;
  state_.most_in_flight = std::max(state_.most_in_flight, state_.in_flight);
}

Status TopicDialogue::end() {
  if (state_.most_in_flight == 1 && !state_.run.alone_s) {
    state_.run.alone_s = seconds_since(start_);
  }
  --state_.in_flight;
  return finish_topic(state_, topic_, session_, session_.ranking(), start_, thinking_cut_);
}

Error TopicDialogue::at_question(Error error) const {
  const Window& window = session_.plan()[session_.records().size()];
  const std::string place =
      fmt::format("topic {}, window of ranks {}-{}", session_.request().topic.qid.str(),
                  window.start + 1, window.end);
  error.message = error.to_string();
  error.where = place;
  return error;
}

void TopicDialogue::accept_window(const Completion& completion) {
  session_.accept(completion);
  state_.listener->on_window(topic_, session_);
}

}  // namespace rr::internal
