#include "rr/rerank/driver.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "rr/lm/dialogues.h"
#include "rr/rerank/internal/label_question.h"
#include "rr/rerank/internal/pointwise_driver.h"
#include "rr/rerank/internal/topic_dialogue.h"
#include "rr/rerank/labels.h"

namespace rr {
namespace {

using internal::LabelQuestion;
using internal::RunState;
using internal::TopicDialogue;

// Tokens that the answers of these windows take beside their thoughts.
std::size_t reserve_of(std::span<const Window> windows, const RunState& state) {
  std::size_t tokens = 0;
  for (const Window& window : windows) {
    tokens += answer_reserve(state.prompts->mode(), state.options->answer, window.size(),
                             state.generator->text_model());
  }
  return tokens;
}

Status check_topic_tokens(const RunState& state) {
  if (!state.options->topic_tokens) return ok_status();
  const std::size_t most = *state.options->topic_tokens;
  std::map<std::size_t, std::size_t> reserves;  // by number of candidates
  for (const Request& request : state.requests) {
    const std::size_t size = request.candidates.size();
    auto found = reserves.find(size);
    if (found == reserves.end()) {
      found = reserves.emplace(size, reserve_of(state.planner->plan(size), state)).first;
    }
    if (found->second <= most) continue;
    return Error{
        Errc::kRejected,
        fmt::format("its {} candidates need up to {} tokens for the windows' answers alone, and a "
                    "topic may write {}; give a topic more tokens or fewer windows",
                    size, found->second, most),
        "topic " + request.topic.qid.str()};
  }
  return ok_status();
}

// The model writes each window's order.
class ListwiseDialogue : public TopicDialogue {
 public:
  using TopicDialogue::TopicDialogue;

  Result<std::optional<Question>> next() override {
    const std::optional<Prompt> prompt = session().next_prompt();
    if (!prompt) return std::optional<Question>();
    AnswerOptions options = state().options->answer;
    options.max_thinking = std::min(options.max_thinking, share_of_thinking());
    RR_TRY(AnswerRequest answer,
           make_answer_request(*prompt, session().request().topic.qid, state().prompts->mode(),
                               options, state().generator->text_model()));
    if (answer.thinking_was_cut) count_cut_thinking();
    return std::optional(Question{state().generator, std::move(answer.request), foreseen()});
  }

  Status accept(const Completion& completion) override {
    accept_window(completion);
    return ok_status();
  }

 private:
  // Of what the topic may still write.
  std::size_t share_of_thinking() const {
    if (!state().options->topic_tokens) return std::numeric_limits<std::size_t>::max();
    const std::size_t written = session().report().completion_tokens;
    const auto to_come = std::span(session().plan()).subspan(session().records().size());
    const std::size_t taken = written + reserve_of(to_come, state());
    const std::size_t most = *state().options->topic_tokens;
    return taken < most ? (most - taken) / to_come.size() : 0;
  }

  // What is certain of the next prompt already.
  TokenIds foreseen() const {
    const TextModel* const model = state().generator->text_model();
    if (!state().options->reads_ahead || model == nullptr) return {};
    const std::optional<RerankSession::Foreseen> foreseen = session().foresee();
    if (!foreseen) return {};
    return common_beginning(foreseen->one, foreseen->other, state().prompts->mode(),
                            state().options->answer, *model);
  }
};

// Each window is ordered by how likely the model finds each identifier as the first.
class FirstDialogue : public TopicDialogue {
 public:
  using TopicDialogue::TopicDialogue;

  Result<std::optional<Question>> next() override {
    if (!question_) {
      const std::optional<Prompt> prompt = session().next_prompt();
      if (!prompt) return std::optional<Question>();
      RR_TRY_STATUS(ask_about(*prompt));
    }
    if (question_->is_answered()) return next_window();
    return std::optional(Question{state().generator, question_->next()});
  }

  Status accept(const Completion& completion) override {
    question_->accept(completion);
    if (question_->is_answered()) take_window();
    return ok_status();
  }

 private:
  // A window of one passage asks nothing.
  Result<std::optional<Question>> next_window() {
    take_window();
    return next();
  }

  Status ask_about(const Prompt& prompt) {
    const TextModel& model = *state().generator->text_model();
    RR_TRY(TokenIds ids,
           encode_prompt(prompt.messages, state().prompts->mode(), state().options->answer, model));
    RR_TRY(const LabelTree* const tree, tree_of(prompt.window.size(), *model.tokenizer));
    question_.emplace(std::move(ids), *tree,
                      fmt::format("{}/{}", session().request().topic.qid.str(), prompt.index));
    return ok_status();
  }

  Result<const LabelTree*> tree_of(std::size_t size, const Tokenizer& tokenizer) {
    auto found = state().identifier_trees.find(size);
    if (found == state().identifier_trees.end()) {
      RR_TRY(LabelTree tree, LabelTree::make(tokenizer, identifier_labels(size)));
      found = state().identifier_trees.emplace(size, std::move(tree)).first;
    }
    return static_cast<const LabelTree*>(&found->second);
  }

  void take_window() {
    Completion completion = order_by_score(question_->logprobs());
    question_->add_cost_to(completion);
    question_.reset();
    accept_window(completion);
  }

  std::optional<LabelQuestion> question_;
};

template <typename TopicDialogueKind>
Status run_windows(RunState& state) {
  return run_dialogues(
      state.requests.size(),
      [&state](std::size_t topic) { return std::make_unique<TopicDialogueKind>(topic, state); },
      {.max_in_flight = state.options->max_in_flight,
       .first_alone = state.options->first_alone,
       .deadline = state.options->deadline});
}

Status run_method(RunState& state) {
  const RerankMethod method = state.options->method;
  if (method == RerankMethod::kListwise) return run_windows<ListwiseDialogue>(state);
  if (state.generator->text_model() == nullptr) {
    return Error{Errc::kRejected,
                 "ranking by probabilities needs a model in this process: a server or a recording "
                 "does not tell them",
                 ""};
  }
  if (method == RerankMethod::kFirst) return run_windows<FirstDialogue>(state);
  return internal::run_pointwise(state);
}

}  // namespace

Result<RerankRun> rerank_all(std::span<const Request> requests, Generator& generator,
                             const WindowPlanner& planner, const PromptBuilder& prompts,
                             const DriverOptions& options, RerankListener& listener) {
  const Clock::time_point start = Clock::now();
  RunState state{requests, &generator, &planner, &prompts, &options, &listener, {}, 0, 0, {}};
  state.run.topics.resize(requests.size());
  RR_TRY_STATUS(check_topic_tokens(state));
  RR_TRY_STATUS(run_method(state));
  state.run.seconds = seconds_since(start);
  return std::move(state.run);
}

}  // namespace rr
