// What a generator writes with drafts is what it writes without.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include <algorithm>
#include <latch>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "rr/base/random.h"
#include "rr/lm_local/internal/audience.h"
#include "rr/lm_local/internal/fake_model.h"
#include "rr/lm_local/local_generator.h"

namespace rr {
namespace {

using internal::Audience;
using internal::expect_same;
using internal::fake_model;
using internal::FakeDecoder;
using internal::request_of;
using internal::run;
using internal::some_prompt;

const internal::FakeModelOptions kWords = {.words = {"ab", "cda", " >", " [", "</", "think"}};

// A model of habits: what it likes follows from the last `order` tokens, and is one of a few
// letters, so that it soon repeats itself and its prompt.
FakeScores habits(std::uint64_t seed, std::size_t order) {
  return [scores_of = hashed_scores(seed), order](std::span<const TokenId> read,
                                                  std::span<float> scores) {
    scores_of(read.last(std::min(order, read.size())), scores);
    for (const TokenId id : TokenIds{'a', 'b', 'c', 'd', 256, 257}) {
      scores[static_cast<std::size_t>(id)] += 6;
    }
    scores[scores.size() - 2] += 2;  // FakeTokenizer's end token
  };
}

TokenIds letters(std::size_t size, RandomStream& random) {
  TokenIds ids(size);
  for (TokenId& id : ids) id = static_cast<TokenId>('a' + random.below(4));
  return ids;
}

std::vector<Stage> some_stages(RandomStream& random) {
  static const std::vector<std::string> kStops = {"dd", "bca", "abab", "cdab"};
  FreeStage thoughts{random.below(80), {}};
  for (std::size_t i = random.below(3); i > 0; --i) {
    thoughts.stop.push_back(kStops[random.below(kStops.size())]);
  }
  std::vector<Stage> stages;
  if (random.below(3) == 0) stages.emplace_back(ForcedStage{"<think>abcd"});
  stages.emplace_back(thoughts);
  if (random.below(2) == 0) return stages;
  stages.emplace_back(ForcedStage{random.below(2) == 0 ? "cdab</think> [" : "abcdabcdabcd"});
  if (random.below(2) == 0) stages.emplace_back(PermutationStage{1 + random.below(12)});
  if (random.below(2) == 0) stages.emplace_back(FreeStage{random.below(40), {"dab"}});
  if (random.below(2) == 0) stages.emplace_back(ForcedStage{"</answer>"});
  return stages;
}

Sampling some_sampling(RandomStream& random) {
  if (random.below(2) == 0) return {};
  return {.temperature = 0.2 + random.uniform(),
          .top_p = random.below(3) == 0 ? 0.9 : 1.0,
          .top_k = random.below(4) == 0 ? 3u : 0u,
          .min_p = random.below(4) == 0 ? 0.05 : 0.0,
          .seed = random.below(1000)};
}

std::vector<GenerationRequest> some_requests(std::size_t count, std::uint64_t seed) {
  std::vector<GenerationRequest> requests;
  for (std::size_t i = 0; i < count; ++i) {
    RandomStream random(seed + i, 3);
    std::vector<Stage> stages = some_stages(random);
    TokenIds prompt = letters(1 + random.below(150), random);
    requests.push_back(request_of(std::move(prompt), std::move(stages), some_sampling(random)));
    requests.back().label = std::to_string(i);
  }
  return requests;
}

TEST(Speculation, ChangesNoCompletionOfThousands) {
  for (const std::size_t order : {1u, 2u, 4u}) {
    const auto model = fake_model(habits(order, order), kWords);
    const std::vector<GenerationRequest> requests = some_requests(1000, 10000 * order);
    Audience plain;
    {
      LocalGenerator generator(*model, {.speculation = false});
      run(generator, requests, plain);
      EXPECT_EQ(generator.counters().drafted_tokens, 0u);
    }
    for (const std::size_t max_sequences : {1u, 4u, 9u}) {
      LocalGenerator generator(*model, {.max_sequences = max_sequences});
      Audience drafted;
      run(generator, requests, drafted);
      for (std::size_t i = 0; i < requests.size(); ++i) {
        SCOPED_TRACE(i);
        expect_same(drafted.completion(i), plain.completion(i));
        EXPECT_EQ(drafted.heard().at(i).text, plain.heard().at(i).text);
      }
      const LocalGenerator::Counters counters = generator.counters();
      EXPECT_GT(counters.right_drafts, 500u);
      EXPECT_GT(counters.drafted_tokens, counters.right_drafts + 500);
    }
  }
}

// Requests that come and go in any order under any limits, among others that are cancelled.
RC_GTEST_PROP(Speculation, ChangesNothingUnderEverySchedule, ()) {
  constexpr std::size_t kCount = 20;
  const auto seed = *rc::gen::inRange<std::uint64_t>(0, 1000000);
  const FakeScores scores = habits(seed, 1 + seed % 3);
  const std::vector<GenerationRequest> requests = some_requests(kCount, seed);
  Audience plain;
  {
    const auto model = fake_model(scores, kWords);
    LocalGenerator generator(*model, {.speculation = false});
    run(generator, requests, plain);
  }
  internal::FakeModelOptions options = kWords;
  options.num_threads = *rc::gen::inRange<std::size_t>(1, 4);
  FakeDecoder* decoder = nullptr;
  const auto model = fake_model(scores, options, &decoder);
  const std::size_t max_blocks = *rc::gen::inRange<std::size_t>(6, 40);
  decoder->max_kv_blocks = max_blocks;
  const auto order = *rc::gen::container<std::vector<std::size_t>>(
      kCount, rc::gen::inRange<std::size_t>(0, kCount));
  const auto cancelled = *rc::gen::container<std::vector<bool>>(kCount, rc::gen::arbitrary<bool>());
  Audience audience;
  {
    LocalGenerator generator(*model, {.max_sequences = *rc::gen::inRange<std::size_t>(1, 9),
                                      .max_batch_tokens = *rc::gen::inRange<std::size_t>(8, 300),
                                      .kv_memory_bytes = max_blocks * 640});
    submit_as_it_comes(generator, requests, order, cancelled, audience);
    audience.wait_for_all();
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Completion& found = audience.completion(i);
    const Completion& expected = plain.completion(order[i]);
    if (found.stop == StopReason::kCancelled) {
      RC_ASSERT(cancelled[i]);
      RC_ASSERT(found.ids.size() <= expected.ids.size());
      RC_ASSERT(std::equal(found.ids.begin(), found.ids.end(), expected.ids.begin()));
    } else {
      expect_same(found, expected);
    }
  }
  RC_ASSERT(!::testing::Test::HasFailure());
  RC_ASSERT(decoder->num_kv_blocks() == 0u);
}

// A prompt, and a model that writes it once more.
struct Quoting {
  TokenIds prompt = some_prompt(200, 1);
  FakeDecoder* decoder = nullptr;
  std::unique_ptr<LocalModel> model =
      fake_model(scripted_scores(prompt.size(), prompt, 'x'), kWords, &decoder);
  std::vector<GenerationRequest> requests(std::size_t count) const {
    return std::vector<GenerationRequest>(count, request_of(prompt, {FreeStage{200, {}}}));
  }
};

TEST(Speculation, WritesAQuoteInAFewSteps) {
  Quoting quoting;
  Audience audience;
  LocalGenerator::Counters counters;
  {
    LocalGenerator generator(*quoting.model);
    run(generator, quoting.requests(1), audience);
    counters = generator.counters();
  }
  EXPECT_EQ(audience.completion(0).ids, quoting.prompt);
  EXPECT_LE(quoting.decoder->steps.size(), 30u);
  EXPECT_EQ(counters.writing.written_tokens, 199u);  // nothing follows the last one
  EXPECT_GE(counters.right_drafts, 170u);
  EXPECT_LE(counters.drafted_tokens, counters.right_drafts + 10);
}

TEST(Speculation, TakesUpWhatTheLastCompletionsSaid) {
  const TokenIds answer = some_prompt(100, 2);
  const auto model = fake_model(scripted_scores(1, answer, 'x'), kWords);
  LocalGenerator generator(*model);
  Audience first;
  run(generator, {request_of({'?'}, {FreeStage{100, {}}})}, first);
  EXPECT_EQ(generator.counters().right_drafts, 0u);
  Audience second;
  run(generator, {request_of({'!'}, {FreeStage{100, {}}})}, second);
  EXPECT_EQ(second.completion(0).ids, answer);
  EXPECT_GT(generator.counters().right_drafts, 70u);
}

TEST(Speculation, LeavesABatchOfManyAlone) {
  Quoting quoting;
  Audience audience;
  std::latch all_submitted(1);
  quoting.decoder->before_return = [&] { all_submitted.wait(); };  // else the first may end before
  LocalGenerator generator(*quoting.model);
  for (std::size_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(generator.submit(quoting.requests(1).front(), audience.listener(i)).ok());
  }
  all_submitted.count_down();
  audience.wait_for_all();
  EXPECT_EQ(generator.counters().max_running, 20u);
  for (const FakeDecoder::StepSize& step : quoting.decoder->steps) {
    const bool all_write = step.rows == step.tokens;  // a prompt has a row for its last token only
    if (all_write && step.chunks > 16) {
      EXPECT_EQ(step.rows, step.chunks);
    }
  }
}

TEST(Speculation, DraftsUpToTheEndOfTheContext) {
  internal::FakeModelOptions options = kWords;
  options.context_length = 117;
  const auto model = fake_model(scripted_scores(17, {}, 'x'), options);
  LocalGenerator generator(*model);
  Audience audience;
  run(generator, {request_of(some_prompt(17, 1), {FreeStage{100, {}}})}, audience);
  EXPECT_EQ(audience.completion(0).ids, TokenIds(100, 'x'));
  EXPECT_GT(generator.counters().right_drafts, 70u);
}

// The scores behind a wrong guess are nobody's business.
TEST(Speculation, SurvivesAWrongDraftThatBreaksTheModel) {
  const TokenIds prompt = {'a', 'b', 'c', 'd', 'e', 'f', '-'};
  const TokenIds script = {'a', 'b', 'x', 'y'};
  const auto scores = [&](std::span<const TokenId> read, std::span<float> row) {
    scripted_scores(prompt.size(), script, '.')(read, row);
    const std::span<const TokenId> written = read.subspan(std::min(prompt.size(), read.size()));
    const std::size_t known = std::min(written.size(), script.size());
    if (!std::equal(written.begin(), written.begin() + static_cast<std::ptrdiff_t>(known),
                    script.begin())) {
      row[0] = std::numeric_limits<float>::quiet_NaN();
    }
  };
  const auto model = fake_model(scores, kWords);
  LocalGenerator generator(*model);
  Audience audience;
  run(generator, {request_of(prompt, {FreeStage{4, {}}})}, audience);
  EXPECT_EQ(audience.completion(0).stop, StopReason::kLength);
  EXPECT_EQ(audience.completion(0).ids, script);
  EXPECT_GT(generator.counters().drafted_tokens, generator.counters().right_drafts);
}

}  // namespace
}  // namespace rr
