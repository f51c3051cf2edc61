#include "rr/fusion/tune.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <string>

#include "rr/base/random.h"
#include "rr/measures/evaluate.h"

namespace rr {
namespace {

// Topics "0".."n-1", each with 20 documents of which "d0" is relevant, and runs whose scores are
// noise plus `skill` for the relevant one.
Qrels qrels_of(std::size_t topics) {
  Qrels qrels;
  for (std::size_t i = 0; i < topics; ++i) qrels[Qid(std::to_string(i))][Docid("d0")] = 1;
  return qrels;
}

rr::Run noisy_run(std::size_t topics, double skill, std::uint64_t seed) {
  rr::Run run{fmt::format("r{}", seed), {}};
  RandomStream random(seed, 0);
  for (std::size_t i = 0; i < topics; ++i) {
    Ranking ranking{Qid(std::to_string(i)), {}};
    for (int doc = 0; doc < 20; ++doc) {
      const double signal = doc == 0 ? skill : 0;
      ranking.docs.push_back({Docid(fmt::format("d{}", doc)), random.uniform() + signal});
    }
    run.rankings.push_back(std::move(ranking));
  }
  return run;
}

std::vector<FusionOptions> families() {
  return {{}, {.method = FusionMethod::kLinear}, {.rrf_k = 10}};
}

const Measure kRr = {.kind = Measure::Kind::kReciprocalRank};

double mean_of(std::span<const rr::Run> runs, const Qrels& qrels, const FusionOptions& options) {
  const std::array measures = {kRr};
  return evaluate_run(fuse(runs, options), qrels, measures).means[0];
}

TEST(TuneFusion, WhatItReportsIsWhatFusingAndMeasuringGives) {
  const std::array runs = {noisy_run(40, 0.5, 1), noisy_run(40, 0.3, 2)};
  const Qrels qrels = qrels_of(40);
  const Tuning tuning = tune_fusion(runs, qrels, families(), {.measure = kRr}).value();
  EXPECT_EQ(tuning.num_topics, 40u);
  EXPECT_EQ(tuning.candidates, 3u * 21);
  EXPECT_NEAR(tuning.in_sample, mean_of(runs, qrels, tuning.chosen), 1e-12);
  EXPECT_NEAR(tuning.untuned, mean_of(runs, qrels, {}), 1e-12);
  EXPECT_NEAR(tuning.alone[1], mean_of(std::array{runs[1]}, qrels, {}), 1e-12);
  EXPECT_GE(tuning.in_sample, std::max(tuning.untuned, tuning.alone[0]));
}

TEST(TuneFusion, HeldOutTopicsHadNoSay) {
  const std::array runs = {noisy_run(30, 0.4, 3), noisy_run(30, 0.4, 4)};
  const Qrels qrels = qrels_of(30);
  const Tuning tuning = tune_fusion(runs, qrels, families(), {.measure = kRr, .folds = 3}).value();
  ASSERT_EQ(tuning.folds.size(), 3u);
  double sum = 0;
  for (const TunedFold& fold : tuning.folds) {
    EXPECT_EQ(fold.num_held_out, 10u);
    // Of all topics the mean under the fold's choice has the two parts that are reported.
    EXPECT_NEAR((fold.trained * 20 + fold.held_out * 10) / 30, mean_of(runs, qrels, fold.chosen),
                1e-12);
    sum += fold.held_out * 10;
  }
  EXPECT_NEAR(tuning.held_out, sum / 30, 1e-12);
}

TEST(TuneFusion, LeavesOutARunThatIsNoise) {
  const std::array runs = {noisy_run(60, 0.0, 5), noisy_run(60, 2.0, 6)};
  const Tuning tuning = tune_fusion(runs, qrels_of(60), families(), {.measure = kRr}).value();
  EXPECT_EQ(tuning.in_sample, 1);
  EXPECT_GT(tuning.chosen.weights[1], tuning.chosen.weights[0]);
  EXPECT_GT(tuning.held_out, 0.97);
}

TEST(TuneFusion, AmongEqualsTakesTheFirstFamilyAndEqualWeights) {
  const std::array runs = {noisy_run(10, 2.0, 7), noisy_run(10, 2.0, 8)};
  const Tuning tuning = tune_fusion(runs, qrels_of(10), families(), {.measure = kRr}).value();
  EXPECT_EQ(tuning.chosen.method, FusionMethod::kReciprocalRank);
  EXPECT_EQ(tuning.chosen.rrf_k, 60);
  EXPECT_EQ(tuning.chosen.weights, (std::vector<double>{0.5, 0.5}));
}

TEST(TuneFusion, SearchesByCoordinatesWhereThereAreManyRuns) {
  std::vector<rr::Run> runs;
  for (std::uint64_t seed = 10; seed < 15; ++seed) {
    runs.push_back(noisy_run(40, seed == 12 ? 0.6 : 0.1, seed));
  }
  const Qrels qrels = qrels_of(40);
  const Tuning tuning = tune_fusion(runs, qrels, families(), {.measure = kRr}).value();
  const std::vector<double>& weights = tuning.chosen.weights;
  EXPECT_NEAR(std::accumulate(weights.begin(), weights.end(), 0.0), 1, 1e-12);
  EXPECT_EQ(std::max_element(weights.begin(), weights.end()) - weights.begin(), 2);
  EXPECT_GE(tuning.in_sample, *std::max_element(tuning.alone.begin(), tuning.alone.end()));
  EXPECT_NEAR(tuning.in_sample, mean_of(runs, qrels, tuning.chosen), 1e-12);
}

TEST(TuneFusion, DoesNotDependOnThreads) {
  const std::array runs = {noisy_run(30, 0.4, 3), noisy_run(30, 0.4, 4)};
  const auto tuned = [&](std::size_t threads) {
    return tune_fusion(runs, qrels_of(30), families(), {.measure = kRr, .num_threads = threads})
        .value();
  };
  EXPECT_EQ(tuned(1).chosen.weights, tuned(3).chosen.weights);
  EXPECT_EQ(tuned(1).held_out, tuned(3).held_out);
}

TEST(TuneSpace, HasWhatIsNotSet) {
  EXPECT_EQ(families_of({}).size(), 5u + 1 + 2);
  EXPECT_EQ(families_of({.method = FusionMethod::kReciprocalRank, .rrf_k = 7}).size(), 1u);
  EXPECT_EQ(families_of({.method = FusionMethod::kReciprocalRank, .rrf_k = 7})[0].rrf_k, 7);
  const auto zmuv = families_of({.method = FusionMethod::kLinear,
                                 .normalization = Normalization::kZmuv,
                                 .absent = AbsentScore::kLowest,
                                 .depth = 50});
  ASSERT_EQ(zmuv.size(), 1u);
  EXPECT_EQ(zmuv[0].absent, AbsentScore::kLowest);
  EXPECT_EQ(zmuv[0].normalization, Normalization::kZmuv);
  EXPECT_EQ(zmuv[0].depth, 50u);
}

TEST(TuneFusion, NeedsATopicForEachFold) {
  const std::array runs = {noisy_run(4, 1, 1), noisy_run(4, 1, 2)};
  const auto tuning = tune_fusion(runs, qrels_of(4), families(), {.measure = kRr});
  ASSERT_FALSE(tuning.ok());
  EXPECT_EQ(tuning.error().message,
            "expected at least 5 topics with qrels, one for each fold, found 4");
}

}  // namespace
}  // namespace rr
