#include "rr/measures/rbo.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

// One docid a letter.
std::vector<Docid> ranking_of(std::string_view letters) {
  std::vector<Docid> ranking;
  for (const char letter : letters) ranking.emplace_back(std::string(1, letter));
  return ranking;
}

double ao(std::string_view a, std::string_view b, std::size_t k = kWholeRanking) {
  return average_overlap_at(k, ranking_of(a), ranking_of(b));
}

TEST(AverageOverlap, MatchesTheSumDoneByHand) {
  // Agreements of "abc" and "bca": 0/1, 1/2, 3/3.
  EXPECT_NEAR(ao("abc", "bca"), (0 + 0.5 + 1) / 3, 1e-15);
  EXPECT_NEAR(ao("abc", "bca", 2), (0 + 0.5) / 2, 1e-15);
  EXPECT_NEAR(ao("abcdef", "bc"), (0 + 0.5) / 2, 1e-15);
}

TEST(Rbo, MatchesTheSumDoneByHand) {
  const auto a = ranking_of("abc");
  const auto b = ranking_of("bca");
  const double seen = 0.1 * (0 + 0.9 * 0.5 + 0.81 * 1);
  EXPECT_NEAR(rbo_at(kWholeRanking, 0.9, a, b), seen, 1e-15);
  EXPECT_NEAR(normalized_rbo_at(kWholeRanking, 0.9, a, b), seen / (1 - 0.729), 1e-15);
  EXPECT_NEAR(extrapolated_rbo_at(kWholeRanking, 0.9, a, b), seen + 0.729, 1e-15);
}

TEST(Rbo, EmptyRankingsAreAlikeAndUnlikeEverythingElse) {
  const auto a = ranking_of("abc");
  const auto none = ranking_of("");
  for (const auto value : {rbo_at(5, 0.9, none, none), normalized_rbo_at(5, 0.9, none, none),
                           extrapolated_rbo_at(5, 0.9, none, none), ao("", "")}) {
    EXPECT_EQ(value, 1);
  }
  for (const auto value : {rbo_at(5, 0.9, a, none), normalized_rbo_at(5, 0.9, none, a),
                           extrapolated_rbo_at(5, 0.9, a, none), ao("abc", "")}) {
    EXPECT_EQ(value, 0);
  }
}

TEST(Rbo, EqualRankingsGiveOneOnlyWhereNothingIsLeftUnseen) {
  const auto a = ranking_of("abcdefghijklmnopqrst");
  EXPECT_NEAR(rbo_at(20, 0.9, a, a), 1 - std::pow(0.9, 20), 1e-12);
  EXPECT_NEAR(normalized_rbo_at(20, 0.9, a, a), 1, 1e-12);
  EXPECT_NEAR(extrapolated_rbo_at(20, 0.9, a, a), 1, 1e-12);
  EXPECT_NEAR(extrapolated_rbo_at(7, 0.9, a, a), 1, 1e-12);
}

TEST(Rbo, AReversedListOfTwentyGivesThePublishedReward) {
  const auto a = ranking_of("abcdefghijklmnopqrst");
  const auto reversed = std::vector<Docid>(a.rbegin(), a.rend());
  EXPECT_NEAR(average_overlap_at(20, a, reversed), 0.3312, 5e-5);
  EXPECT_NEAR(normalized_rbo_at(20, 0.9, a, reversed), 0.15125, 5e-6);
}

// Values of the Python package rbo 0.1.3, RankingSimilarity(a, b).rbo_ext(p).
TEST(ExtrapolatedRbo, UsesTheLongerRankingToItsEnd) {
  const auto value = [](std::string_view a, std::string_view b, double p) {
    return extrapolated_rbo_at(kWholeRanking, p, ranking_of(a), ranking_of(b));
  };
  EXPECT_NEAR(value("abcdefg", "zcavwxy", 0.9), 0.28821728571428573, 1e-12);
  EXPECT_NEAR(value("abcde", "bacdefgh", 0.9), 0.9000000000000001, 1e-12);
  EXPECT_NEAR(value("hgfedcba", "abc", 0.7), 0.04937056249999998, 1e-12);
  EXPECT_NEAR(value("abcdefgh", "a", 0.5), 0.9999999999999998, 1e-12);
}

// Numbered documents from `first` on.
void append_numbered(std::vector<Docid>& ranking, int first, int count) {
  for (int i = 0; i < count; ++i) ranking.emplace_back(std::to_string(first + i));
}

void append_missing_of(std::vector<Docid>& ranking, const std::vector<Docid>& other) {
  for (const Docid& docid : other) {
    if (std::find(ranking.begin(), ranking.end(), docid) == ranking.end()) ranking.push_back(docid);
  }
}

// The bounds are what remains of two rankings that go on for 3,000 more documents: all different,
// or shared as early as can be.
TEST(Rbo, BoundsAreReachedByRankingsThatGoOn) {
  for (const auto& [letters_a, letters_b] :
       {std::pair("abc", "bca"), std::pair("abcdefg", "zcavwxy"), std::pair("hgfedcba", "abx"),
        std::pair("abcdefgh", "a"), std::pair("abc", "xyz")}) {
    for (const double p : {0.5, 0.9, 0.98}) {
      const auto a = ranking_of(letters_a);
      const auto b = ranking_of(letters_b);
      auto different_a = a;
      auto different_b = b;
      append_numbered(different_a, 0, 3000);
      append_numbered(different_b, 3000, 3000 + static_cast<int>(a.size() - b.size()));
      const double lowest = rbo_at(kWholeRanking, p, different_a, different_b);
      EXPECT_NEAR(minimal_rbo_at(kWholeRanking, p, a, b), lowest, 1e-12);
      EXPECT_NEAR(minimal_rbo_at(kWholeRanking, p, b, a), lowest, 1e-12);

      auto shared_a = a;
      auto shared_b = b;
      append_missing_of(shared_b, a);
      append_missing_of(shared_a, b);
      append_numbered(shared_a, 0, 3000);
      append_numbered(shared_b, 0, 3000);
      const double highest = rbo_at(kWholeRanking, p, shared_a, shared_b);
      EXPECT_NEAR(residual_rbo_at(kWholeRanking, p, a, b), highest - lowest, 1e-12);
      EXPECT_NEAR(residual_rbo_at(kWholeRanking, p, b, a), highest - lowest, 1e-12);
      const double extrapolated = extrapolated_rbo_at(kWholeRanking, p, a, b);
      EXPECT_GE(extrapolated, lowest - 1e-12);
      EXPECT_LE(extrapolated, highest + 1e-12);
    }
  }
}

TEST(Rbo, NothingSeenLeavesEverythingOpen) {
  EXPECT_EQ(minimal_rbo_at(5, 0.9, ranking_of("abc"), {}), 0);
  EXPECT_NEAR(residual_rbo_at(5, 0.9, ranking_of("abc"), {}), 1, 1e-12);
  EXPECT_EQ(minimal_rbo_at(5, 0.9, {}, {}), 1);
  EXPECT_EQ(residual_rbo_at(5, 0.9, {}, {}), 0);
}

TEST(Rbo, EveryVectorComesOut) {
  const auto path = shared_data("rbo-vectors/rbo_vectors.json");
  RR_NEEDS_FILE(path);
  const Json vectors = parse_json(read_file(path).value(), path.string()).value();
  ASSERT_EQ(vectors.size(), 131u);
  const auto docids_of = [](const Json& list) {
    std::vector<Docid> docids;
    for (const Json& id : list) docids.emplace_back(id.get<std::string>());
    return docids;
  };
  for (const Json& vector : vectors) {
    const auto s = docids_of(vector["S"]);
    const auto t = docids_of(vector["T"]);
    const double p = vector["p"];
    const double value =
        p == 1 ? average_overlap_at(kWholeRanking, s, t) : rbo_at(kWholeRanking, p, s, t);
    EXPECT_NEAR(value, vector["value"].get<double>(), 1e-14) << vector.dump();
    if (vector.contains("expected_round3")) {
      EXPECT_NEAR(value, vector["expected_round3"].get<double>(), 5.0001e-4);
    }
  }
}

}  // namespace
}  // namespace rr
