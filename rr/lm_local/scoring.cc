#include "rr/lm_local/scoring.h"

#include <fmt/core.h>

#include <algorithm>

#include "rr/lm/sampler.h"

namespace rr {
namespace {

constexpr std::size_t kLogitBytes = std::size_t{32} << 20;

}  // namespace

Result<std::vector<float>> score_tokens(LocalModel& model, std::span<const TokenId> ids) {
  RR_TRY_STATUS(check_ids(model.tokenizer(), ids));
  if (ids.size() > model.context_length()) {
    return Error{Errc::kRejected,
                 fmt::format("{} tokens are more than the model's context of {}", ids.size(),
                             model.context_length()),
                 ""};
  }
  if (ids.size() < 2) return std::vector<float>();
  const std::size_t vocabulary = model.config().vocabulary_size;
  const std::size_t max_rows =
      std::clamp<std::size_t>(kLogitBytes / (vocabulary * sizeof(float)), 16, 512);
  const std::unique_ptr<KvSequence> sequence = model.decoder().new_sequence();
  std::vector<float> logits;
  std::vector<float> logprobs(ids.size() - 1);
  for (std::size_t begin = 0; begin + 1 < ids.size(); begin += max_rows) {
    const std::size_t rows = std::min(max_rows, ids.size() - 1 - begin);
    const DecoderChunk chunk{sequence.get(), ids.subspan(begin, rows), LogitsWanted::kAll};
    model.decoder().forward({&chunk, 1}, logits);
    model.pool().run(rows, [&](std::size_t row) {
      const std::span<const float> scores(logits.data() + row * vocabulary, vocabulary);
      const auto next = static_cast<std::size_t>(ids[begin + row + 1]);
      logprobs[begin + row] =
          static_cast<float>(static_cast<double>(scores[next]) - log_sum_exp(scores));
    });
  }
  if (std::any_of(logprobs.begin(), logprobs.end(), [](float x) { return x != x; })) {
    return Error{Errc::kRejected,
                 "the model's scores are not numbers; its weights may be damaged, or too large for "
                 "bf16 (--compute f32)",
                 ""};
  }
  return logprobs;
}

}  // namespace rr
