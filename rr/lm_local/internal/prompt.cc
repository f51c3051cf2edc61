#include "rr/lm_local/internal/prompt.h"

#include <fmt/core.h>

#include <variant>

namespace rr::internal {

Status check_ids(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && static_cast<std::size_t>(ids[i]) < tokenizer.vocabulary_size()) continue;
    return Error{Errc::kRejected,
                 fmt::format("expected ids from 0 to {}, found {} at position {}",
                             tokenizer.vocabulary_size() - 1, ids[i], i),
                 ""};
  }
  return ok_status();
}

Result<TokenIds> prompt_ids(const LocalModel& model, const GenerationRequest& request) {
  if (const auto* messages = std::get_if<Messages>(&request.prompt)) {
    if (model.chat() == nullptr) return model.no_chat();
    const RenderedPrompt rendered = model.chat()->render(*messages);
    return with_begin_token(model.tokenizer(),
                            model.tokenizer().encode(rendered.text, rendered.control));
  }
  const auto& ids = std::get<TokenIds>(request.prompt);
  RR_TRY_STATUS(check_ids(model.tokenizer(), ids));
  if (ids.empty()) return Error{Errc::kRejected, "expected a prompt, found an empty one", ""};
  return ids;
}

}  // namespace rr::internal
