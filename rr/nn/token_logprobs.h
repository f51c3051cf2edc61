#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "rr/nn/decoder.h"

namespace rr {

// log p of every token of each continuation, given `prompt` and the continuation's tokens before
// it, natural logarithm. The prompt is read once. Requires a prompt that is not empty, and what
// Decoder::forward() does.
std::vector<std::vector<float>> continuation_logprobs(
    Decoder& decoder, std::span<const std::int32_t> prompt,
    std::span<const std::span<const std::int32_t>> continuations);

}  // namespace rr
