#pragma once

#include <atomic>
#include <map>
#include <string>

#include "rr/lm/generator.h"

namespace rr {

// Answers each request with the recorded text of its label, at once: to run again what a model said
// once, without the model. A request without a recording completes as kFailed and names its label.
// Stages are not looked at: the text is the whole completion, and each stage is reported as
// complete with no tokens counted. May be used from several threads.
class ReplayGenerator : public Generator {
 public:
  explicit ReplayGenerator(std::map<std::string, std::string> texts_by_label);

  Result<GenerationId> submit(GenerationRequest request, GenerationListener listener) override;
  void cancel(GenerationId id) override;
  const TextModel* text_model() const override { return nullptr; }

 private:
  std::map<std::string, std::string> texts_by_label_;
  std::atomic<GenerationId> next_id_ = 1;
};

}  // namespace rr
