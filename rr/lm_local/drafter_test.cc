#include "rr/lm_local/internal/drafter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <string_view>

#include "rr/base/random.h"
#include "rr/lm_local/internal/prompt_lookup.h"

namespace rr::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TokenIds ids_of(std::string_view text) { return {text.begin(), text.end()}; }

std::string text_of(const TokenIds& ids) { return {ids.begin(), ids.end()}; }

std::string proposal_after(std::string_view text, std::size_t most) {
  PromptLookup lookup;
  for (const char byte : text) lookup.add(byte);
  return text_of(lookup.propose(most));
}

TEST(PromptLookup, GoesOnAsWhereTheLastTokensStoodBefore) {
  EXPECT_EQ(proposal_after("the cat sat. the c", 5), "at sa");
  EXPECT_EQ(proposal_after("abcdefgh-cd", 3), "efg");
}

TEST(PromptLookup, WantsTwoTokensToHaveStoodThere) {
  EXPECT_EQ(proposal_after("", 4), "");
  EXPECT_EQ(proposal_after("a", 4), "");
  EXPECT_EQ(proposal_after("aba", 4), "");
  EXPECT_EQ(proposal_after("abcab", 4), "cabc");
  EXPECT_EQ(proposal_after("abcab", 0), "");
}

TEST(PromptLookup, PrefersThePlaceWhereMostFits) {
  EXPECT_EQ(proposal_after("xab1 yab2 xab", 1), "1");
  EXPECT_EQ(proposal_after("yab1 xab2 yab", 1), "1");
}

TEST(PromptLookup, OfEqualPlacesTakesTheLatest) {
  EXPECT_EQ(proposal_after("xab1 yab2 zab", 1), "2");
}

TEST(PromptLookup, GoesOnInCirclesWhereTheTextDoes) {
  EXPECT_EQ(proposal_after("....", 6), "......");
  EXPECT_EQ(proposal_after("-abcabc", 7), "abcabca");
}

TEST(PromptLookup, LooksInEarlierTextsUpToTheirEnds) {
  PromptLookup lookup;
  const auto add = [&](std::string_view text) {
    for (const char byte : text) lookup.add(byte);
  };
  add("abcd");
  lookup.begin_text();
  EXPECT_THAT(lookup.propose(4), IsEmpty());
  add("xab");
  EXPECT_EQ(text_of(lookup.propose(4)), "cd");
  lookup.begin_text();
  add("x");
  EXPECT_THAT(lookup.propose(4), IsEmpty());  // one token fits; the end of a text is none
  add("a");
  EXPECT_EQ(text_of(lookup.propose(4)), "b");
  add("bcd");
  EXPECT_THAT(lookup.propose(4), IsEmpty());
}

// The same by trying every place.
std::string proposal_by_search(std::string_view text, std::size_t most) {
  std::size_t best = 0;
  std::size_t longest = 1;
  for (std::size_t place = text.size(); --place > 1;) {
    std::size_t length = 0;
    while (length < std::min<std::size_t>(place, 16) &&
           text[place - 1 - length] == text[text.size() - 1 - length]) {
      ++length;
    }
    if (length <= longest) continue;
    longest = length;
    best = place;
  }
  if (best == 0) return "";
  std::string all(text);
  while (all.size() < text.size() + most) all += all[best + all.size() - text.size()];
  return all.substr(text.size());
}

TEST(PromptLookup, FindsWhatASearchOfTheWholeTextFinds) {
  for (std::size_t seed = 0; seed < 2000; ++seed) {
    RandomStream random(seed, 1);
    const std::size_t letters = 2 + random.below(20);
    std::string text;
    for (std::size_t i = 2 + random.below(60); i > 0; --i) {
      text += static_cast<char>('a' + random.below(letters));
    }
    EXPECT_EQ(proposal_after(text, 9), proposal_by_search(text, 9)) << text;
  }
}

// Writes a text of one letter, so that there is always something to propose.
class Repetition {
 public:
  explicit Repetition(double cost = 0.25) : cost_(cost) {}

  // Tokens drafted, of which up to `num_right` are right; one more is written, as it always is.
  std::size_t draft(std::size_t num_right, std::size_t most = 100) {
    const std::size_t size = drafter_.propose(prompt_, completion_, most).size();
    num_right = std::min(num_right, size);
    if (size > 0) drafter_.learn(size, num_right, cost_);
    completion_.resize(completion_.size() + num_right + 1, 7);
    return size;
  }
  std::size_t size() const { return completion_.size(); }

 private:
  double cost_;
  Drafter drafter_;
  TokenIds prompt_ = TokenIds(5, 7);
  TokenIds completion_ = {7};
};

TEST(Drafter, ProposesMoreWhileItIsRight) {
  Repetition text;
  EXPECT_EQ(text.draft(100), 4u);
  EXPECT_EQ(text.draft(100), 8u);
  EXPECT_EQ(text.draft(100), 15u);
  EXPECT_EQ(text.draft(100), 15u);
  EXPECT_EQ(text.draft(100, 3), 3u);
}

TEST(Drafter, ProposesLessWhereItIsWrong) {
  Repetition text;
  EXPECT_EQ(text.draft(2), 4u);
  EXPECT_EQ(text.draft(1), 3u);
  EXPECT_EQ(text.draft(0), 2u);
  EXPECT_EQ(text.draft(0), 1u);
}

TEST(Drafter, WastesLittleWhereNothingFits) {
  for (const double cost : {0.05, 0.3, 0.8}) {
    Repetition text(cost);
    std::size_t drafted = 0;
    while (text.size() < 2000) drafted += text.draft(0);
    // Rests of 16, 32 and 64 tokens come before the long ones.
    const double trials = 4 + 2000.0 / Drafter::kLongestRest;
    EXPECT_GT(cost * static_cast<double>(drafted), Drafter::kMostWasted);
    EXPECT_LE(cost * static_cast<double>(drafted),
              Drafter::kMostWasted + cost * (trials * Drafter::kTrial + 4));
  }
}

TEST(Drafter, NeverRestsWhereAsMuchIsRightAsItCosts) {
  Repetition text;
  while (text.size() < 1000) EXPECT_GT(text.draft(1, 4), 0u);
}

TEST(Drafter, RestsWhereLessIsRightThanItCosts) {
  Repetition text(0.8);
  std::size_t drafted = 0;
  for (bool is_right = true; text.size() < 1000; is_right = !is_right) {
    drafted += text.draft(is_right ? 1 : 0, 1);
  }
  EXPECT_LT(drafted, 200u);
}

TEST(Drafter, ComesBackWhenTheTextRepeatsAgain) {
  Repetition text;
  while (text.size() < 500) text.draft(0);
  while (text.size() < 500 + Drafter::kLongestRest + 16) text.draft(100);
  EXPECT_EQ(text.draft(100), 15u);
}

TEST(Drafter, ProposesNothingForATextWithoutRepetition) {
  Drafter drafter;
  EXPECT_THAT(drafter.propose(ids_of("abcdef"), ids_of("ghijk"), 8), IsEmpty());
  EXPECT_THAT(drafter.propose(ids_of("abcdef"), ids_of("ghijkcd"), 2), ElementsAre('e', 'f'));
}

TEST(Drafter, LooksInEarlierTextsToo) {
  Drafter drafter;
  const std::deque<TokenIds> earlier = {ids_of("so it is relevant"), ids_of("and so on")};
  drafter.look_in(earlier);
  EXPECT_EQ(text_of(drafter.propose(ids_of("[1]"), ids_of("it is"), 4)), " rel");
  EXPECT_EQ(text_of(drafter.propose(ids_of("[1]"), ids_of("it is so"), 4)), " on");
}

}  // namespace
}  // namespace rr::internal
