#include "rr/lm/replay_generator.h"

#include <utility>

#include "rr/base/utf8.h"

namespace rr {
namespace {

Completion failed(const std::string& label) {
  Completion completion;
  completion.stop = StopReason::kFailed;
  completion.error = Error{Errc::kNotFound, "expected a recorded answer of this label, found none",
                           label.empty() ? "(no label)" : label};
  return completion;
}

// How many tokens a recorded text had is not known: the reports say none.
Completion recorded(const std::string& text, std::size_t num_stages) {
  Completion completion;
  completion.text = repair_utf8(text).text;
  completion.stages.resize(num_stages);
  return completion;
}

}  // namespace

ReplayGenerator::ReplayGenerator(std::map<std::string, std::string> texts_by_label)
    : texts_by_label_(std::move(texts_by_label)) {}

Result<GenerationId> ReplayGenerator::submit(GenerationRequest request,
                                             GenerationListener listener) {
  const GenerationId id = next_id_++;
  const auto it = texts_by_label_.find(request.label);
  const Completion completion = it == texts_by_label_.end()
                                    ? failed(request.label)
                                    : recorded(it->second, request.stages.size());
  listener({completion.text, &completion});
  return id;
}

void ReplayGenerator::cancel(GenerationId) {}  // all have ended when submit() returns

}  // namespace rr
