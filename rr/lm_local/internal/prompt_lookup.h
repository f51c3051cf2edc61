#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "rr/lm/tokenizer.h"

namespace rr::internal {

// Finds how a text may go on: as it went on where its last tokens stood before. Texts that quote
// repeat long pieces of what they quote (prompt lookup decoding, Saxena 2023). Knows no model.
class PromptLookup {
 public:
  // So many tokens at the end of the text must have stood there before; of several places the one
  // counts where most of them did, and of equal ones the latest.
  static constexpr std::size_t kShortestMatch = 2;

  // Requires id >= 0.
  void add(TokenId id);

  // Begins another text. What was added before is still looked up, but no match and no proposal
  // reaches over its end.
  void begin_text();

  // What followed at that place, `most` tokens or fewer; where the text being written ends before,
  // as if it went on with what is proposed. Empty where there is no such place.
  TokenIds propose(std::size_t most) const;

 private:
  using Place = std::uint32_t;

  void put(TokenId id);
  std::size_t best_place() const;
  std::size_t match_before(std::size_t place) const;

  TokenIds text_;
  std::vector<Place>
      earlier_;  // one a token: behind it, the pair that ends with it stood here last
  std::unordered_map<std::uint64_t, Place> latest_;  // by pair: the place behind it
};

}  // namespace rr::internal
