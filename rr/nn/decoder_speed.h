#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "rr/nn/decoder.h"

namespace rr {

// How fast a decoder is here and now, in tokens a second; the best of some runs counts. Tokens are
// pseudo-random: the speed of a dense model does not depend on them. All lengths must fit into the
// context; decoding goes some 32 tokens a run further.
class DecoderSpeed {
 public:
  // The decoder must outlive it and have no other user. Prompts are read in pieces of
  // `prefill_chunk`. Requires repeat >= 1 and prefill_chunk >= 1.
  DecoderSpeed(Decoder& decoder, std::size_t repeat, std::size_t prefill_chunk = 512);

  // Reads a prompt.
  double prefill(std::size_t tokens);

  // Sequences go on together, each behind `depth` tokens of its own.
  double decode(std::size_t depth, std::size_t num_sequences);

  // Sequences go on together behind `depth` tokens that they have in common (whole blocks).
  double decode_shared(std::size_t depth, std::size_t num_sequences);

 private:
  using Sequences = std::vector<std::unique_ptr<KvSequence>>;

  std::vector<std::int32_t> some_ids(std::size_t count);
  void read(KvSequence& sequence, std::size_t tokens);
  void decode_step(const Sequences& sequences);
  double time_decoding(const Sequences& sequences);

  Decoder& decoder_;
  std::size_t repeat_;
  std::size_t prefill_chunk_;
  std::vector<float> logits_;
  unsigned state_ = 1;
};

}  // namespace rr
