#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <span>

#include "rr/lm/tokenizer.h"
#include "rr/lm_local/internal/prompt_lookup.h"

namespace rr::internal {

// Proposes how one text may go on, so that several of its tokens are checked in one step of the
// model. What a proposal costs is known, what it gains shows: proposals get longer while they are
// right and shorter where they are wrong, and rest where they do not pay, longer each time. All
// follows from the text and the calls.
//
// Where nothing proposed is ever right, that costs as much as kMostWasted tokens at first, and then
// kTrial tokens drafted every kLongestRest that are written.
class Drafter {
 public:
  static constexpr std::size_t kLongest = 15;
  static constexpr double kMostWasted = 2;
  static constexpr std::size_t kTrial = 2;
  static constexpr std::size_t kShortestRest = 16;
  static constexpr std::size_t kLongestRest = 128;

  // Texts of which pieces may be proposed too, as they are at the first proposal. They must outlive
  // the drafter or its last proposal.
  void look_in(const std::deque<TokenIds>& earlier) { earlier_ = &earlier; }

  // How the completion may go on: `most` tokens or fewer, often none. Requires the prompt of the
  // call before, and a completion that begins as its did.
  TokenIds propose(std::span<const TokenId> prompt, std::span<const TokenId> completion,
                   std::size_t most);

  // How many tokens of the last proposal, from its first on, were written indeed, and what drafting
  // a token cost, in tokens that could have been written meanwhile. Requires num_right <=
  // num_drafted.
  void learn(std::size_t num_drafted, std::size_t num_right, double cost);

 private:
  void read_up(std::span<const TokenId> prompt, std::span<const TokenId> completion);
  void rest(double cost);

  const std::deque<TokenIds>* earlier_ = nullptr;
  std::optional<PromptLookup> lookup_;
  std::size_t num_looked_up_ = 0;     // tokens of prompt and completion in it
  std::size_t length_ = 4;            // of the next proposal, at most
  double credit_ = kMostWasted;       // what proposals may still cost
  std::size_t num_written_ = 0;       // of the completion, as far as known
  std::size_t rests_until_ = 0;       // that many are written
  std::size_t rest_ = kShortestRest;  // the next one
};

}  // namespace rr::internal
