#include "rr/lm_local/internal/prompt_lookup.h"

#include <algorithm>

#include "rr/base/check.h"

namespace rr::internal {
namespace {

// A place behind no pair.
constexpr std::size_t kNone = 0;

// Stands between texts.
constexpr TokenId kBreak = -1;

// Looking further costs time and tells little more.
constexpr std::size_t kLongestMatch = 16;
constexpr std::size_t kMostPlaces = 32;

std::uint64_t pair_of(TokenId first, TokenId second) {
  return std::uint64_t{static_cast<std::uint32_t>(first)} << 32 |
         static_cast<std::uint32_t>(second);
}

}  // namespace

void PromptLookup::add(TokenId id) {
  RR_CHECK(id >= 0, "a token has an id from 0");
  put(id);
}

void PromptLookup::begin_text() { put(kBreak); }

void PromptLookup::put(TokenId id) {
  text_.push_back(id);
  earlier_.push_back(kNone);
  if (text_.size() < kShortestMatch) return;
  Place& latest = latest_[pair_of(text_[text_.size() - 2], id)];
  earlier_.back() = latest;
  latest = static_cast<Place>(text_.size());
}

TokenIds PromptLookup::propose(std::size_t most) const {
  TokenIds proposal;
  const std::size_t place = best_place();
  if (place == kNone) return proposal;
  const std::size_t known = text_.size() - place;
  for (std::size_t i = 0; i < most; ++i) {
    const TokenId next = i < known ? text_[place + i] : proposal[i - known];
    if (next == kBreak) break;
    proposal.push_back(next);
  }
  return proposal;
}

std::size_t PromptLookup::best_place() const {
  std::size_t best = kNone;
  std::size_t longest = kShortestMatch - 1;
  std::size_t place = text_.empty() ? kNone : earlier_.back();
  for (std::size_t i = 0; i < kMostPlaces && place != kNone; ++i, place = earlier_[place - 1]) {
    const std::size_t length = match_before(place);
    if (length <= longest) continue;
    longest = length;
    best = place;
    if (longest == kLongestMatch) break;
  }
  return best;
}

// Tokens before this place that are those at the end of the text.
std::size_t PromptLookup::match_before(std::size_t place) const {
  const std::size_t most = std::min(place, kLongestMatch);
  std::size_t length = 0;
  for (; length < most; ++length) {
    const TokenId id = text_[text_.size() - 1 - length];
    if (id == kBreak || id != text_[place - 1 - length]) break;
  }
  return length;
}

}  // namespace rr::internal
