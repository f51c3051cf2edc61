#include "rr/nn/token_logprobs.h"

#include <algorithm>
#include <cmath>

#include "rr/base/check.h"
#include "rr/nn/internal/select_kernels.h"

namespace rr {
namespace {

constexpr std::size_t kChunk = 256;  // tokens whose scores are in memory at the same time

float logprob_of(std::span<const float> scores, std::int32_t id) {
  float top = 0;
  float sum = 0;
  internal::select_learning_kernels(false).softmax_terms(scores.data(), scores.size(), &top, &sum);
  return scores[static_cast<std::size_t>(id)] - top - std::log(sum);
}

}  // namespace

std::vector<std::vector<float>> continuation_logprobs(
    Decoder& decoder, std::span<const std::int32_t> prompt,
    std::span<const std::span<const std::int32_t>> continuations) {
  RR_CHECK(!prompt.empty(), "nothing predicts a first token");
  const std::size_t vocabulary = decoder.config().vocabulary_size;
  const auto sequence = decoder.new_sequence();
  std::vector<float> scores;
  const auto read = [&](std::span<const std::int32_t> ids, LogitsWanted wanted) {
    const DecoderChunk chunk{sequence.get(), ids, wanted};
    decoder.forward({&chunk, 1}, scores);
  };
  for (std::size_t begin = 0; begin < prompt.size(); begin += kChunk) {
    const std::size_t count = std::min(kChunk, prompt.size() - begin);
    const bool is_last = begin + count == prompt.size();
    read(prompt.subspan(begin, count), is_last ? LogitsWanted::kLast : LogitsWanted::kNone);
  }
  const std::vector<float> first = scores;
  std::vector<std::vector<float>> logprobs;
  for (const std::span<const std::int32_t> ids : continuations) {
    std::vector<float>& found = logprobs.emplace_back();
    if (!ids.empty()) found.push_back(logprob_of(first, ids[0]));
    // The last token predicts nothing that is asked for.
    for (std::size_t begin = 0; begin + 1 < ids.size(); begin += kChunk) {
      const std::size_t count = std::min(kChunk, ids.size() - 1 - begin);
      read(ids.subspan(begin, count), LogitsWanted::kAll);
      for (std::size_t i = 0; i < count; ++i) {
        found.push_back(
            logprob_of(std::span(scores).subspan(i * vocabulary, vocabulary), ids[begin + i + 1]));
      }
    }
    sequence->truncate(prompt.size());
  }
  return logprobs;
}

}  // namespace rr
