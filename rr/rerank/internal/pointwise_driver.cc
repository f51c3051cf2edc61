#include "rr/rerank/internal/pointwise_driver.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "rr/rerank/internal/label_question.h"
#include "rr/rerank/labels.h"

namespace rr::internal {
namespace {

// One window over what another planner's windows cover.
class WholePlan : public WindowPlanner {
 public:
  explicit WholePlan(const WindowPlanner& planner) : planner_(&planner) {}

  std::vector<Window> plan(std::size_t num_candidates) const override {
    const std::vector<Window> windows = planner_->plan(num_candidates);
    if (windows.empty()) return {};
    Window whole = windows.front();
    for (const Window& window : windows) {
      whole.start = std::min(whole.start, window.start);
      whole.end = std::max(whole.end, window.end);
    }
    whole.pass = 0;
    return {whole};
  }

 private:
  const WindowPlanner* planner_;
};

// A topic while its passages are looked at.
struct OpenTopic {
  OpenTopic(const RunState& state, const WholePlan& plan, std::size_t number)
      : session(state.requests[number], plan, *state.prompts, state.options->session) {
    if (!session.plan().empty()) scores.resize(session.plan().front().size());
    num_left = scores.size();
  }

  std::size_t first_rank() const { return session.plan().front().start; }

  RerankSession session;
  std::vector<double> scores;  // of the candidates from first_rank() on
  std::size_t num_left = 0;
  Completion cost;
  Clock::time_point start = Clock::now();
};

// The scores in the order of the session, which is theirs; of equal ones the later is lowered by
// one step of a 32-bit float. Candidates outside the window keep their places: those before it are
// higher, those behind it lower than all in it.
Ranking ranking_by_score(const OpenTopic& topic) {
  Ranking ranking = topic.session.ranking();
  const std::vector<std::size_t>& order = topic.session.order();
  const std::size_t first = topic.first_rank();
  const double highest = *std::max_element(topic.scores.begin(), topic.scores.end());
  float before = std::numeric_limits<float>::infinity();
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const bool is_scored = order[rank] >= first && order[rank] < first + topic.scores.size();
    const double score = is_scored ? topic.scores[order[rank] - first] : highest + 1;
    before = std::min(static_cast<float>(score), std::nextafter(before, -INFINITY));
    ranking.docs[rank].score = static_cast<double>(before);
  }
  return ranking;
}

Status finish(RunState& state, std::size_t number, OpenTopic& topic) {
  if (topic.scores.empty()) {
    return finish_topic(state, number, topic.session, topic.session.ranking(), topic.start, 0);
  }
  Completion completion = order_by_score(topic.scores);
  completion.prompt_tokens = topic.cost.prompt_tokens;
  completion.cached_tokens = topic.cost.cached_tokens;
  completion.prefill_s = topic.cost.prefill_s;
  completion.decode_s = topic.cost.decode_s;
  topic.session.accept(completion);
  state.listener->on_window(number, topic.session);
  return finish_topic(state, number, topic.session, ranking_by_score(topic), topic.start, 0);
}

// All passages of a run: those of the topics one after another, so that a topic's end and the next
// one's beginning run together.
class PassageQueue {
 public:
  struct Place {
    std::size_t topic;
    std::size_t rank;  // in the topic's window
  };

  explicit PassageQueue(RunState& state) : state_(state), plan_(*state.planner) {
    for (std::size_t topic = 0; topic < state.requests.size(); ++topic) {
      const auto windows = plan_.plan(state.requests[topic].candidates.size());
      const std::size_t size = windows.empty() ? 0 : windows.front().size();
      for (std::size_t rank = 0; rank < size; ++rank) places_.push_back({topic, rank});
      if (size == 0) without_passages_.push_back(topic);
    }
    open_.resize(state.requests.size());
  }

  std::size_t size() const { return places_.size(); }
  Place place(std::size_t i) const { return places_[i]; }

  OpenTopic& topic(std::size_t number) {
    if (!open_[number]) open_[number] = std::make_unique<OpenTopic>(state_, plan_, number);
    return *open_[number];
  }

  // A passage of the topic is done.
  Status count(std::size_t number) {
    if (--open_[number]->num_left > 0) return ok_status();
    const std::unique_ptr<OpenTopic> topic = std::move(open_[number]);
    return finish(state_, number, *topic);
  }

  Status finish_topics_without_passages() {
    for (const std::size_t number : without_passages_) {
      RR_TRY_STATUS(finish(state_, number, topic(number)));
      open_[number].reset();
    }
    return ok_status();
  }

 private:
  RunState& state_;
  WholePlan plan_;
  std::vector<Place> places_;
  std::vector<std::size_t> without_passages_;
  std::vector<std::unique_ptr<OpenTopic>> open_;
};

class PassageDialogue : public Dialogue {
 public:
  PassageDialogue(RunState& state, const LabelTree& labels, PassageQueue& queue, std::size_t number)
      : state_(state), labels_(labels), queue_(queue), place_(queue.place(number)) {}

  Result<std::optional<Question>> next() override {
    if (!question_) {
      const RerankSession& session = topic().session;
      const std::string_view text = session.passage_text(candidate()).text;
      RR_TRY(TokenIds ids, encode_prompt(state_.prompts->build(session.query_text(), {&text, 1}),
                                         state_.prompts->mode(), state_.options->answer,
                                         *state_.generator->text_model()));
      question_.emplace(std::move(ids), labels_,
                        fmt::format("{}/{}", session.request().topic.qid.str(), place_.rank));
    }
    if (question_->is_answered()) return std::optional<Question>();
    return std::optional(Question{state_.generator, question_->next()});
  }

  Status accept(const Completion& completion) override {
    question_->accept(completion);
    return ok_status();
  }

  Status end() override {
    topic().scores[place_.rank] = relevance_score(question_->logprobs());
    question_->add_cost_to(topic().cost);
    return queue_.count(place_.topic);
  }

  Error at_question(Error error) const override {
    const Request& request = state_.requests[place_.topic];
    error.message = error.to_string();
    error.where = fmt::format("topic {}, passage {}", request.topic.qid.str(),
                              request.candidates[candidate()].docid.str());
    return error;
  }

 private:
  OpenTopic& topic() const { return queue_.topic(place_.topic); }
  std::size_t candidate() const { return topic().first_rank() + place_.rank; }

  RunState& state_;
  const LabelTree& labels_;
  PassageQueue& queue_;
  PassageQueue::Place place_;
  std::optional<LabelQuestion> question_;
};

}  // namespace

Status run_pointwise(RunState& state) {
  RR_TRY(const LabelTree labels,
         LabelTree::make(*state.generator->text_model()->tokenizer, relevance_labels()));
  PassageQueue queue(state);
  RR_TRY_STATUS(queue.finish_topics_without_passages());
  return run_dialogues(queue.size(),
                       [&](std::size_t number) {
                         return std::make_unique<PassageDialogue>(state, labels, queue, number);
                       },
                       {.max_in_flight = state.options->max_in_flight});
}

}  // namespace rr::internal
