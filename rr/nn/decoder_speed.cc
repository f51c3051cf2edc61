#include "rr/nn/decoder_speed.h"

#include <algorithm>

#include "rr/base/check.h"
#include "rr/base/clock.h"

namespace rr {
DecoderSpeed::DecoderSpeed(Decoder& decoder, std::size_t repeat, std::size_t prefill_chunk)
    : decoder_(decoder), repeat_(repeat), prefill_chunk_(prefill_chunk) {
  RR_CHECK(repeat >= 1 && prefill_chunk >= 1, "something has to run");
}

double DecoderSpeed::prefill(std::size_t tokens) {
  double best = 0;
  for (std::size_t i = 0; i < repeat_; ++i) {
    const auto sequence = decoder_.new_sequence();
    const auto start = Clock::now();
    read(*sequence, tokens);
    best = std::max(best, static_cast<double>(tokens) / seconds_since(start));
  }
  return best;
}

double DecoderSpeed::decode(std::size_t depth, std::size_t num_sequences) {
  Sequences sequences;
  for (std::size_t i = 0; i < num_sequences; ++i) {
    sequences.push_back(decoder_.new_sequence());
    read(*sequences.back(), depth);
  }
  return time_decoding(sequences);
}

double DecoderSpeed::decode_shared(std::size_t depth, std::size_t num_sequences) {
  const auto first = decoder_.new_sequence();
  read(*first, depth);
  Sequences sequences;
  for (std::size_t i = 0; i < num_sequences; ++i) {
    sequences.push_back(decoder_.new_sequence());
    for (std::size_t b = 0; b < depth / kKvBlockTokens; ++b) {
      sequences.back()->append(first->block(b));
    }
  }
  return time_decoding(sequences);
}

std::vector<std::int32_t> DecoderSpeed::some_ids(std::size_t count) {
  std::vector<std::int32_t> ids(count);
  const auto size = static_cast<unsigned>(decoder_.config().vocabulary_size);
  for (std::int32_t& id : ids) {
    state_ = state_ * 1664525u + 1013904223u;
    id = static_cast<std::int32_t>((state_ >> 8) % size);
  }
  return ids;
}

void DecoderSpeed::read(KvSequence& sequence, std::size_t tokens) {
  const std::vector<std::int32_t> ids = some_ids(tokens);
  for (std::size_t i = 0; i < tokens; i += prefill_chunk_) {
    const std::size_t count = std::min(prefill_chunk_, tokens - i);
    const bool is_last = i + count == tokens;
    const DecoderChunk chunk{&sequence, std::span(ids).subspan(i, count),
                             is_last ? LogitsWanted::kLast : LogitsWanted::kNone};
    decoder_.forward({&chunk, 1}, logits_);
  }
}

void DecoderSpeed::decode_step(const Sequences& sequences) {
  const std::vector<std::int32_t> ids = some_ids(sequences.size());
  std::vector<DecoderChunk> chunks;
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    chunks.push_back({sequences[s].get(), std::span(ids).subspan(s, 1)});
  }
  decoder_.forward(chunks, logits_);
}

double DecoderSpeed::time_decoding(const Sequences& sequences) {
  constexpr std::size_t kSteps = 32;
  double best = 0;
  for (std::size_t i = 0; i < repeat_; ++i) {
    const auto start = Clock::now();
    for (std::size_t step = 0; step < kSteps; ++step) decode_step(sequences);
    best = std::max(best, static_cast<double>(sequences.size() * kSteps) / seconds_since(start));
  }
  return best;
}

}  // namespace rr
