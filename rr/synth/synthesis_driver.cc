#include "rr/synth/synthesis_driver.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "rr/base/check.h"
#include "rr/lm/dialogues.h"
#include "rr/rerank/answer.h"

namespace rr {
namespace {

// Tokens kept free for an order and the tags around it, beside the thoughts.
constexpr std::size_t kOrderTokens = 256;

// What all topics of a run share.
struct RunState {
  std::span<const SynthesisInput* const> inputs;
  const Teacher* teacher;
  const Teacher* judge;
  const TeacherPrompts* prompts;
  SynthesisOptions options;
  SynthesisListener* listener;
};

std::function<bool(const Messages&)> fits_in(const TextModel& model, std::size_t reply_tokens) {
  return [&model, reply_tokens](const Messages& messages) {
    const RenderedPrompt rendered = model.chat->render(messages);
    const std::size_t tokens = model.tokenizer->encode(rendered.text, rendered.control).size();
    return tokens + 1 + reply_tokens <= model.context_length;
  };
}

class SynthesisDialogue : public Dialogue {
 public:
  SynthesisDialogue(const SynthesisInput& input, const RunState& state)
      : state_(&state),
        topic_(input.topic, input.candidates, input.labels, *state.prompts, state.options) {}

  Result<std::optional<Question>> next() override {
    std::optional<TopicSynthesis::Question> question = topic_.next();
    if (!question) return std::optional<Question>();
    const bool judges = question->step == SynthesisStep::kJudgement;
    const Teacher& asked = judges ? *state_->judge : *state_->teacher;
    label_ = fmt::format("{}/{}/{}", topic_.topic().topic.qid.str(), step_name(question->step),
                         question->index);
    RR_TRY(GenerationRequest request, request_of(*question, asked));
    request.label = label_;
    return std::optional(Question{asked.generator, std::move(request)});
  }

  Status accept(const Completion& completion) override {
    topic_.accept(completion);
    state_->listener->on_step(topic_);
    return ok_status();
  }

  Status end() override { return state_->listener->on_topic(topic_, topic_.outcome()); }

  Error at_question(Error error) const override {
    error.message = error.to_string();
    error.where = fmt::format("topic {}", label_);
    return error;
  }

 private:
  Result<GenerationRequest> request_of(const TopicSynthesis::Question& question,
                                       const Teacher& asked) const {
    const bool selects = question.step == SynthesisStep::kPositives ||
                         question.step == SynthesisStep::kHardNegatives;
    if (selects) {
      return GenerationRequest{
          question.messages, {FreeStage{asked.max_selection, {}}}, asked.sampling, ""};
    }
    // As in reranking: thoughts under a budget that the context may cut, then an order.
    const Prompt prompt{question.messages, {0, question.num_passages, 0}, question.index};
    const AnswerOptions answer{.max_thinking = asked.max_thinking, .sampling = asked.sampling};
    RR_TRY(AnswerRequest made,
           make_answer_request(prompt, topic_.topic().topic.qid, PromptMode::kReasoning, answer,
                               asked.generator->text_model()));
    return std::move(made.request);
  }

  const RunState* state_;
  TopicSynthesis topic_;
  std::string label_;
};

}  // namespace

Status synthesize_all(std::span<const SynthesisInput* const> inputs, const Teacher& teacher,
                      const Teacher* judge, const TeacherPrompts& prompts,
                      const SynthesisOptions& options, std::size_t max_in_flight,
                      SynthesisListener& listener) {
  RR_CHECK(options.judge == (judge != nullptr), "a judge where one is asked for");
  RunState state{inputs, &teacher, judge, &prompts, options, &listener};
  if (const TextModel* model = teacher.generator->text_model()) {
    if (model->chat == nullptr) {
      return Error{Errc::kRejected,
                   "the teacher names no chat template that is known; choose one with "
                   "--chat-template",
                   ""};
    }
    state.options.fits = fits_in(*model, std::max(teacher.max_selection, kOrderTokens));
  }
  return run_dialogues(inputs.size(),
                       [&state](std::size_t number) {
                         return std::make_unique<SynthesisDialogue>(*state.inputs[number], state);
                       },
                       {.max_in_flight = max_in_flight});
}

}  // namespace rr
