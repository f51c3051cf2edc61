#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/ir/ranking.h"
#include "rr/lm/generator.h"
#include "rr/rerank/trace.h"
#include "rr/rerank/window.h"

namespace rr {

// The topic of a recording as a request. Passages have the text that the recording kept, if any.
Request request_of(const TopicTrace& recorded);

// Refuses requests that a recording cannot answer: a topic that it does not have, other documents
// than it had or in another order, or other windows than the plan has. Each would be answered with
// what the model said about something else.
Status check_recording(std::span<const TopicTrace> recorded, std::span<const Request> requests,
                       const WindowPlanner& planner);

// Answers each window with what a recording says the model replied to it, choice probabilities
// included, at once: unlike lm/replay_generator.h, which knows texts only.
class RecordedGenerator : public Generator {
 public:
  explicit RecordedGenerator(std::span<const TopicTrace> recorded);

  Result<GenerationId> submit(GenerationRequest request, GenerationListener listener) override;
  void cancel(GenerationId) override {}
  const TextModel* text_model() const override { return nullptr; }

 private:
  std::map<std::string, Completion> completions_;  // by label, "qid/index"
  GenerationId next_id_ = 1;
};

}  // namespace rr
