#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string_view>

#include "rr/base/clock.h"
#include "rr/lm/dialogues.h"
#include "rr/lm/label_tree.h"
#include "rr/rerank/driver.h"

namespace rr::internal {

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
  std::map<std::size_t, LabelTree> identifier_trees;  // by number of identifiers
};

// Puts a topic's result in its place, and tells the listener. `ranking`: session.ranking(), or what
// stands for it.
Status finish_topic(RunState& state, std::size_t topic, const RerankSession& session,
                    Ranking ranking, Clock::time_point start, std::size_t thinking_cut);

// A topic on its way through its windows; how a window is answered is the subclasses' matter.
class TopicDialogue : public Dialogue {
 public:
  TopicDialogue(std::size_t topic, RunState& state);

  Status end() override;
  Error at_question(Error error) const override;
  bool wants_text() const override { return state_.listener->wants_text(); }
  void on_text(std::string_view text) override { state_.listener->on_text(topic_, text); }

 protected:
  RunState& state() { return state_; }
  const RunState& state() const { return state_; }
  const RerankSession& session() const { return session_; }
  void count_cut_thinking() { ++thinking_cut_; }

  // A window's answer.
  void accept_window(const Completion& completion);

 private:
  std::size_t topic_;
  RunState& state_;
  RerankSession session_;
  Clock::time_point start_ = Clock::now();
  std::size_t thinking_cut_ = 0;
};

}  // namespace rr::internal
