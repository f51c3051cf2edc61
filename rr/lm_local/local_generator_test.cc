#include "rr/lm_local/local_generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "rr/base/random.h"
#include "rr/lm/sampler.h"
#include "rr/lm_local/internal/audience.h"
#include "rr/lm_local/internal/fake_model.h"

namespace rr {
namespace {

using internal::Audience;
using internal::expect_same;
using internal::fake_model;
using internal::FakeDecoder;
using internal::request_of;
using internal::run;
using internal::some_prompt;
using ::testing::Each;
using ::testing::HasSubstr;

const internal::FakeModelOptions kWords = {.words = {" >", " [", "</", "think", "12", "ab"}};

// Never ends by itself.
FakeScores endless_scores() {
  return [](std::span<const TokenId> read, std::span<float> scores) {
    hashed_scores(1)(read, scores);
    scores[scores.size() - 2] = -100;  // FakeTokenizer's end token
  };
}

// Requests of every kind: lengths, stages, samplings.
std::vector<GenerationRequest> mixed_requests(std::size_t count) {
  std::vector<GenerationRequest> requests;
  for (std::size_t i = 0; i < count; ++i) {
    RandomStream random(i, 2);
    std::vector<Stage> stages;
    if (i % 3 == 0) stages.emplace_back(ForcedStage{"<think>"});
    stages.emplace_back(FreeStage{random.below(30), {"a", "Q>"}});
    if (i % 2 == 0) {
      stages.emplace_back(ForcedStage{"</think> a long text that takes several pieces <answer>"});
      stages.emplace_back(PermutationStage{1 + random.below(14)});
      stages.emplace_back(ForcedStage{"</answer>"});
    }
    const Sampling sampling = {.temperature = i % 4 == 0 ? 0.0 : 1.0,
                               .top_p = i % 5 == 0 ? 0.8 : 1.0,
                               .top_k = i % 7 == 0 ? 5u : 0u,
                               .seed = i / 2};
    requests.push_back(request_of(some_prompt(1 + random.below(90), i), stages, sampling));
    requests.back().label = "topic/" + std::to_string(i / 3);
  }
  return requests;
}

TEST(LocalGenerator, WritesTheSameAloneAndInABatch) {
  const auto model = fake_model(hashed_scores(5), kWords);
  std::vector<Audience> alone(60);
  {
    LocalGenerator generator(*model, {.max_sequences = 1, .max_batch_tokens = 32});
    for (std::size_t i = 0; i < alone.size(); ++i) {
      run(generator, {mixed_requests(alone.size())[i]}, alone[i]);
    }
  }
  for (const std::size_t max_sequences : {2u, 7u, 64u}) {
    Audience together;
    LocalGenerator generator(*model, {.max_sequences = max_sequences, .max_batch_tokens = 32});
    run(generator, mixed_requests(alone.size()), together);
    for (std::size_t i = 0; i < alone.size(); ++i) {
      expect_same(together.completion(i), alone[i].completion(0));
    }
    EXPECT_GT(generator.counters().max_running, 1u);
    EXPECT_LE(generator.counters().max_running, max_sequences);
  }
}

TEST(LocalGenerator, TellsWhatEachStepWasMadeOf) {
  const auto model = fake_model(hashed_scores(6), kWords);
  GenerationStep sum;
  std::size_t most_waiting = 0;
  LocalGenerator generator(
      *model, {.max_sequences = 7, .max_batch_tokens = 32, .on_step = [&](const auto& step) {
                 EXPECT_GT(step.reading + step.writing + step.expected_tokens, 0u);
                 EXPECT_LE(step.reading + step.writing, 7u);
                 EXPECT_LE(step.read_tokens, 32u);
                 sum.seconds += step.seconds;
                 sum.read_tokens += step.read_tokens;
                 sum.written_tokens += step.written_tokens;
                 sum.known_tokens += step.known_tokens;
                 sum.forced_tokens += step.forced_tokens;
                 most_waiting = std::max(most_waiting, step.waiting);
               }});
  Audience audience;
  run(generator, mixed_requests(40), audience);
  const LocalGenerator::Counters counters = generator.counters();
  EXPECT_EQ(sum.read_tokens, counters.reading.read_tokens + counters.mixed.read_tokens);
  EXPECT_EQ(sum.written_tokens, counters.writing.written_tokens + counters.mixed.written_tokens);
  EXPECT_EQ(sum.known_tokens, counters.cached_tokens);
  EXPECT_EQ(sum.read_tokens + sum.known_tokens, counters.prompt_tokens);
  EXPECT_EQ(sum.forced_tokens, counters.forced_tokens);
  EXPECT_NEAR(sum.seconds, counters.busy_s(), 1e-9);
  EXPECT_GT(most_waiting, 0u);
}

TEST(LocalGenerator, StreamsTheTextItCompletes) {
  const auto model = fake_model(hashed_scores(6), kWords);
  LocalGenerator generator(*model);
  Audience audience;
  run(generator, mixed_requests(40), audience);
  for (const auto& [key, heard] : audience.heard()) {
    ASSERT_EQ(heard.ends.size(), 1u);
    EXPECT_EQ(heard.text, heard.ends[0].text);
    EXPECT_EQ(heard.text, model->tokenizer().decode(heard.ends[0].ids));
  }
}

TEST(LocalGenerator, KnowsTheLogProbabilityOfEveryToken) {
  const FakeDecoder* decoder = nullptr;
  FakeDecoder* inside = nullptr;
  const auto model = fake_model(hashed_scores(7), kWords, &inside);
  decoder = inside;
  const std::size_t vocabulary = model->tokenizer().vocabulary_size();
  LocalGenerator generator(*model);
  Audience audience;
  run(generator, mixed_requests(40), audience);
  const std::vector<GenerationRequest> requests = mixed_requests(40);
  int num_ends = 0;
  for (const auto& [key, heard] : audience.heard()) {
    const Completion& completion = heard.ends[0];
    std::vector<float> row(decoder->config().vocabulary_size, 6);  // 6: FakeDecoder's padding
    TokenIds read = std::get<TokenIds>(requests[key].prompt);
    EXPECT_EQ(completion.prompt_tokens, read.size());
    ASSERT_EQ(completion.token_logprobs.size(), completion.ids.size());
    for (std::size_t i = 0; i < completion.ids.size(); ++i) {
      hashed_scores(7)(read, std::span(row).first(vocabulary));
      const auto id = static_cast<std::size_t>(completion.ids[i]);
      EXPECT_NEAR(completion.token_logprobs[i], row[id] - log_sum_exp(row), 1e-5);
      read.push_back(completion.ids[i]);
    }
    const bool wrote_end =
        completion.stop == StopReason::kEnd &&
        std::holds_alternative<FreeStage>(requests[key].stages[completion.stages.size() - 1]);
    ASSERT_EQ(completion.end.has_value(), wrote_end) << key;
    if (!completion.end) continue;
    ++num_ends;
    hashed_scores(7)(read, std::span(row).first(vocabulary));
    const auto id = static_cast<std::size_t>(completion.end->id);
    EXPECT_NEAR(completion.end->logprob, row[id] - log_sum_exp(row), 1e-5);
    const auto ends = model->tokenizer().end_tokens();
    EXPECT_NE(std::find(ends.begin(), ends.end(), completion.end->id), ends.end());
  }
  EXPECT_GT(num_ends, 0);
}

TEST(LocalGenerator, ReadsEveryTokenOnce) {
  FakeDecoder* decoder = nullptr;
  const auto model = fake_model(endless_scores(), kWords, &decoder);
  Audience audience;
  {
    LocalGenerator generator(*model, {.max_batch_tokens = 100});
    run(generator, {request_of(some_prompt(250, 1), {FreeStage{3, {}}})}, audience);
  }
  ASSERT_EQ(audience.completion(0).ids.size(), 3u);
  // The prompt in 100 + 100 + 50; then a token each but for the last, which nothing follows.
  ASSERT_EQ(decoder->steps.size(), 5u);
  EXPECT_EQ(decoder->steps[0].tokens, 100u);
  EXPECT_EQ(decoder->steps[0].rows, 0u);
  EXPECT_EQ(decoder->steps[2].tokens, 50u);
  EXPECT_EQ(decoder->steps[2].rows, 1u);
  EXPECT_EQ(decoder->steps[4].tokens, 1u);
}

TEST(LocalGenerator, GoesOnWritingWhileLongPromptsAreRead) {
  FakeDecoder* decoder = nullptr;
  const auto model = fake_model(endless_scores(), kWords, &decoder);
  Audience audience;
  {
    LocalGenerator generator(*model, {.max_batch_tokens = 10});
    decoder->step_s = 0.001;
    ASSERT_TRUE(generator.submit(request_of({1}, {FreeStage{50, {}}}), audience.listener(0)).ok());
    ASSERT_TRUE(
        generator.submit(request_of(some_prompt(900, 1), {FreeStage{1, {}}}), audience.listener(1))
            .ok());
    audience.wait_for_all();
  }
  EXPECT_THAT(audience.order_of_ends(), ::testing::ElementsAre(0, 1));
  std::size_t mixed = 0;
  for (const FakeDecoder::StepSize& step : decoder->steps) {
    EXPECT_LE(step.tokens, 11u);
    if (step.chunks == 2 && step.tokens == 11) ++mixed;
  }
  EXPECT_GE(mixed, 40u);
}

TEST(LocalGenerator, KeepsWithinTheMemoryForKeysAndValues) {
  FakeDecoder* decoder = nullptr;
  const auto model = fake_model(hashed_scores(5), kWords, &decoder);
  Audience alone;
  {
    LocalGenerator generator(*model, {.max_sequences = 1});
    run(generator, mixed_requests(60), alone);
  }
  for (const std::size_t max_blocks : {5u, 8u, 20u}) {
    decoder->max_kv_blocks = max_blocks;  // fails where there are more
    LocalGenerator generator(*model, {.kv_memory_bytes = max_blocks * 640});
    Audience together;
    run(generator, mixed_requests(60), together);
    for (std::size_t i = 0; i < 60; ++i) expect_same(together.completion(i), alone.completion(i));
    EXPECT_GT(generator.counters().max_running, 1u);
    EXPECT_LE(generator.counters().max_kv_blocks, max_blocks);
  }
}

TEST(LocalGenerator, StopsTheLastComersWhereMemoryRunsOutAndGoesOnWithThemLater) {
  FakeDecoder* decoder = nullptr;
  const auto model = fake_model(endless_scores(), kWords, &decoder);
  // Five requests begin in a block each, and come to need four each.
  std::vector<GenerationRequest> requests;
  for (std::size_t i = 0; i < 5; ++i) {
    requests.push_back(
        request_of(some_prompt(60, i), {FreeStage{190, {}}}, {.temperature = 1, .seed = i}));
  }
  Audience alone;
  {
    LocalGenerator generator(*model);
    run(generator, requests, alone);
    EXPECT_EQ(generator.counters().stopped, 0u);
  }
  decoder->max_kv_blocks = 10;
  LocalGenerator generator(*model, {.kv_memory_bytes = 10 * 640});
  Audience audience;
  run(generator, requests, audience);
  EXPECT_GT(generator.counters().stopped, 0u);
  EXPECT_GT(generator.counters().max_running, 2u);  // more than would fit to their ends
  for (std::size_t i = 0; i < 5; ++i) expect_same(audience.completion(i), alone.completion(i));
  EXPECT_EQ(audience.order_of_ends().front(), 0u);  // who came first is never stopped
}

TEST(LocalGenerator, ReadsWhatPromptsHaveInCommonOnce) {
  FakeDecoder* decoder = nullptr;
  const auto model = fake_model(endless_scores(), kWords, &decoder);
  const TokenIds common = some_prompt(640, 1);
  std::vector<GenerationRequest> requests;
  for (std::size_t i = 0; i < 8; ++i) {
    TokenIds prompt = common;
    const TokenIds own = some_prompt(i < 4 ? 30 : 0, 10 + i);
    prompt.insert(prompt.end(), own.begin(), own.end());
    requests.push_back(request_of(prompt, {FreeStage{4, {}}}, {.temperature = 1, .seed = i}));
  }
  LocalGenerator generator(*model, {.max_batch_tokens = 128});
  Audience audience;
  run(generator, requests, audience);
  // One reads the ten common blocks, the others what follows them; where nothing follows, the last
  // token's scores are needed, so its block is read.
  EXPECT_EQ(generator.counters().cached_tokens, 3 * 640u + 4 * 576u);
  EXPECT_EQ(audience.completion(0).cached_tokens, 0u);
  EXPECT_EQ(audience.completion(1).cached_tokens, 640u);
  EXPECT_EQ(audience.completion(7).cached_tokens, 576u);
  const LocalGenerator::Counters first = generator.counters();
  EXPECT_EQ(first.reading.read_tokens + first.mixed.read_tokens,
            8 * 640u + 4 * 30u - first.cached_tokens);
  // And later ones find it still there.
  Audience later;
  run(generator, {requests[2]}, later);
  expect_same(later.completion(0), audience.completion(2));
  EXPECT_EQ(later.completion(0).cached_tokens, 640u);
}

TEST(LocalGenerator, ReadsWhatIsExpectedWhenItHasNothingElseToDo) {
  FakeDecoder* decoder = nullptr;
  const auto model = fake_model(endless_scores(), kWords, &decoder);
  const TokenIds prompt = some_prompt(500, 1);
  LocalGenerator generator(*model);
  generator.expect(some_prompt(400, 1));  // the same tokens, as far as they go
  generator.expect({1, 2, 3});            // no whole block
  generator.expect(TokenIds(100, 100000));
  generator.expect(some_prompt(5000, 2));  // longer than the context
  while (generator.counters().expected_tokens < 384) std::this_thread::yield();
  Audience audience;
  run(generator, {request_of(prompt, {FreeStage{2, {}}})}, audience);
  EXPECT_EQ(audience.completion(0).cached_tokens, 384u);
  EXPECT_EQ(generator.counters().expected_tokens, 384u);
}

TEST(LocalGenerator, ReadsWhatIsExpectedBesideOneThatWrites) {
  FakeDecoder* decoder = nullptr;
  const auto model = fake_model(endless_scores(), kWords, &decoder);
  Audience audience;
  {
    LocalGenerator generator(*model);
    decoder->step_s = 0.001;
    ASSERT_TRUE(
        generator
            .submit(request_of({1}, {FreeStage{60, {}}}, {.temperature = 1}), audience.listener(0))
            .ok());
    generator.expect(some_prompt(400, 1));
    audience.wait_for_all();
    Audience later;
    run(generator, {request_of(some_prompt(400, 1), {FreeStage{2, {}}})}, later);
    EXPECT_EQ(later.completion(0).cached_tokens, 384u);
  }
  // Little beside the one that writes, so that it is not slowed down.
  std::size_t mixed = 0;
  for (const FakeDecoder::StepSize& step : decoder->steps) {
    if (step.chunks == 2 && step.rows == 1) mixed += step.tokens <= 16 ? 1 : 1000;
  }
  EXPECT_GE(mixed, 10u);
  EXPECT_LT(mixed, 1000u);
}

// Requests that come and go in any order, with any limits, among others that are cancelled.
RC_GTEST_PROP(LocalGenerator, WritesTheSameUnderEverySchedule, ()) {
  const auto scores = hashed_scores(11);
  const std::size_t count = 24;
  std::vector<GenerationRequest> requests = mixed_requests(count);
  for (std::size_t i = 0; i < count; ++i) {  // families with a common beginning
    TokenIds prompt = some_prompt(64 * (i % 4), 100 + i % 3);
    const TokenIds& own = std::get<TokenIds>(requests[i].prompt);
    prompt.insert(prompt.end(), own.begin(), own.end());
    requests[i].prompt = prompt;
  }
  static const std::vector<Completion> alone = [&] {
    const auto model = fake_model(scores, kWords);
    std::vector<Completion> completions;
    for (const GenerationRequest& request : requests) {
      LocalGenerator generator(*model, {.max_sequences = 1});  // nothing kept from the others
      completions.push_back(generate_all(generator, {request}).value().at(0));
    }
    return completions;
  }();

  internal::FakeModelOptions options = kWords;
  options.num_threads = *rc::gen::inRange<std::size_t>(1, 4);
  FakeDecoder* decoder = nullptr;
  const auto model = fake_model(scores, options, &decoder);
  const std::size_t max_blocks = *rc::gen::inRange<std::size_t>(9, 60);
  decoder->max_kv_blocks = max_blocks;
  const LocalGeneratorOptions limits = {.max_sequences = *rc::gen::inRange<std::size_t>(1, 12),
                                        .max_batch_tokens = *rc::gen::inRange<std::size_t>(8, 300),
                                        .kv_memory_bytes = max_blocks * 640};
  const auto order =
      *rc::gen::container<std::vector<std::size_t>>(24, rc::gen::inRange<std::size_t>(0, count));
  const auto cancelled = *rc::gen::container<std::vector<bool>>(24, rc::gen::arbitrary<bool>());
  Audience audience;
  {
    LocalGenerator generator(*model, limits);
    submit_as_it_comes(generator, requests, order, cancelled, audience);
    audience.wait_for_all();
    RC_ASSERT(generator.counters().max_kv_blocks <= max_blocks);
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Completion& found = audience.completion(i);
    const Completion& expected = alone[order[i]];
    if (found.stop == StopReason::kCancelled) {
      RC_ASSERT(cancelled[i]);
      RC_ASSERT(std::equal(found.ids.begin(), found.ids.end(), expected.ids.begin()));
    } else {
      RC_ASSERT(found.ids == expected.ids);
      RC_ASSERT(found.token_logprobs == expected.token_logprobs);
      RC_ASSERT(found.text == expected.text);
    }
  }
  RC_ASSERT(decoder->num_kv_blocks() == 0u);
}

TEST(LocalGenerator, FindsAConversationAgainThatGoesOn) {
  FakeDecoder* decoder = nullptr;
  const auto model = fake_model(endless_scores(), kWords, &decoder);
  LocalGenerator generator(*model);
  Audience first;
  TokenIds prompt = some_prompt(100, 1);
  run(generator, {request_of(prompt, {FreeStage{100, {}}}, {.temperature = 1})}, first);
  const TokenIds& answer = first.completion(0).ids;
  prompt.insert(prompt.end(), answer.begin(), answer.end());
  Audience second;
  run(generator, {request_of(prompt, {FreeStage{1, {}}})}, second);
  EXPECT_EQ(second.completion(0).cached_tokens, 192u);  // whole blocks of the 199 that were read
}

TEST(LocalGenerator, RefusesWhatCannotRun) {
  internal::FakeModelOptions options = kWords;
  options.context_length = 100;
  const auto model = fake_model(hashed_scores(1), options);
  LocalGenerator generator(*model, {.kv_memory_bytes = 1000});
  const auto refusal = [&](GenerationRequest request) {
    request.label = "q/3";
    const auto taken = generator.submit(std::move(request), [](const GenerationEvent&) { FAIL(); });
    EXPECT_FALSE(taken.ok());
    return taken.ok() ? std::string() : taken.error().to_string();
  };
  EXPECT_EQ(refusal(request_of(some_prompt(81, 1), {FreeStage{20, {}}})),
            "q/3: the prompt has 81 tokens and 20 may be written, more than the model's context of "
            "100; shorten the prompt or the budget");
  EXPECT_EQ(refusal(request_of(some_prompt(81, 1), {FreeStage{20000, {}}})),
            "q/3: the prompt has 81 tokens and more than 100 may be written, more than the model's "
            "context of 100; shorten the prompt or the budget");
  EXPECT_EQ(refusal(request_of(some_prompt(80, 1), {FreeStage{20, {}}})),
            "q/3: 100 tokens of prompt and completion take 1.2 KiB for keys and values, and only "
            "640 B are set aside for them (--kv-memory)");
  EXPECT_EQ(refusal(request_of({}, {FreeStage{20, {}}})),
            "q/3: expected a prompt, found an empty one");
  EXPECT_THAT(refusal(request_of({1, -4}, {FreeStage{20, {}}})),
              HasSubstr("found -4 at position 1"));
  EXPECT_THAT(refusal(request_of({1, 1000}, {FreeStage{20, {}}})), HasSubstr("found 1000"));
  EXPECT_THAT(refusal(request_of({1}, {})), HasSubstr("at least one stage"));
  EXPECT_THAT(refusal(request_of({1}, {FreeStage{1, {}}}, {.temperature = -1})),
              HasSubstr("temperature"));
  EXPECT_THAT(refusal({Messages{{Role::kUser, "hi"}}, {FreeStage{1, {}}}, {}, ""}),
              HasSubstr("no chat template"));
}

TEST(LocalGenerator, UsesTheWholeContext) {
  internal::FakeModelOptions options = kWords;
  options.context_length = 100;
  const auto model = fake_model(endless_scores(), options);
  LocalGenerator generator(*model);
  Audience audience;
  run(generator, {request_of(some_prompt(80, 1), {FreeStage{20, {}}}, {.temperature = 1})},
      audience);
  EXPECT_EQ(audience.completion(0).stop, StopReason::kLength);
  EXPECT_EQ(audience.completion(0).ids.size(), 20u);
}

TEST(LocalGenerator, EndsACancelledRequestAndNoOther) {
  FakeDecoder* decoder = nullptr;
  const auto model = fake_model(endless_scores(), kWords, &decoder);
  decoder->step_s = 0.002;
  LocalGenerator generator(*model, {.max_sequences = 2});
  Audience audience;
  std::vector<GenerationId> ids;
  for (std::size_t i = 0; i < 4; ++i) {  // 0 and 1 run, 2 and 3 wait
    const std::size_t budget = i % 2 == 0 ? 3000 : 20;
    ids.push_back(generator
                      .submit(request_of({static_cast<TokenId>(i)}, {FreeStage{budget, {}}},
                                         {.temperature = 1}),
                              audience.listener(i))
                      .value());
  }
  audience.wait_for_text(0);
  generator.cancel(ids[0]);
  generator.cancel(ids[2]);
  generator.cancel(ids[2]);
  generator.cancel(12345);
  audience.wait_for_all();
  generator.cancel(ids[1]);
  EXPECT_EQ(audience.completion(0).stop, StopReason::kCancelled);
  EXPECT_EQ(audience.completion(0).text, audience.heard().at(0).text);
  EXPECT_FALSE(audience.completion(0).ids.empty());
  EXPECT_EQ(audience.completion(2).stop, StopReason::kCancelled);
  EXPECT_NE(audience.completion(1).stop, StopReason::kCancelled);
  EXPECT_NE(audience.completion(3).stop, StopReason::kCancelled);
}

TEST(LocalGenerator, EndsEveryRequestWhenItGoes) {
  FakeDecoder* decoder = nullptr;
  const auto model = fake_model(endless_scores(), kWords, &decoder);
  decoder->step_s = 0.002;
  Audience audience;
  {
    LocalGenerator generator(*model, {.max_sequences = 2});
    for (std::size_t i = 0; i < 6; ++i) {
      ASSERT_TRUE(generator
                      .submit(request_of({1}, {FreeStage{3000, {}}}, {.temperature = 1}),
                              audience.listener(i))
                      .ok());
    }
    audience.wait_for_text(0);
  }
  audience.wait_for_all();
  for (const auto& [key, heard] : audience.heard()) {
    EXPECT_EQ(heard.ends.at(0).stop, StopReason::kCancelled);
  }
}

TEST(LocalGenerator, TakesRequestsAndCancellationsFromManyThreads) {
  const auto model = fake_model(hashed_scores(9), kWords);
  Audience audience;
  {
    LocalGenerator generator(*model, {.max_sequences = 5, .max_batch_tokens = 40});
    std::vector<std::thread> threads;
    for (std::size_t thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&, thread] {
        std::vector<GenerationRequest> requests = mixed_requests(30);
        for (std::size_t i = 0; i < requests.size(); ++i) {
          const auto id =
              generator.submit(std::move(requests[i]), audience.listener(100 * thread + i));
          ASSERT_TRUE(id.ok());
          if (i % 3 == 1) generator.cancel(id.value());
          if (i % 5 == 1) generator.cancel(id.value() / 2);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    audience.wait_for_all();
  }
  EXPECT_EQ(audience.heard().size(), 120u);
}

TEST(LocalGenerator, FailsTheRequestsOfAStepThatCannotRunAndGoesOn) {
  FakeDecoder* decoder = nullptr;
  const auto model = fake_model(hashed_scores(1), kWords, &decoder);
  LocalGenerator generator(*model);
  decoder->before_return = [decoder] {
    decoder->before_return = nullptr;
    decoder->release();
    throw std::runtime_error("no memory for a kernel");
  };
  Audience audience;
  run(generator, {request_of({1}, {FreeStage{2, {}}})}, audience);
  EXPECT_EQ(audience.completion(0).stop, StopReason::kFailed);
  EXPECT_THAT(audience.completion(0).error.value().message, HasSubstr("no memory for a kernel"));
  Audience later;
  run(generator, {request_of({1}, {FreeStage{2, {}}})}, later);
  EXPECT_NE(later.completion(0).stop, StopReason::kFailed);
}

TEST(LocalGenerator, FailsWhereTheModelGivesNoNumbers) {
  const auto broken = [](std::span<const TokenId> read, std::span<float> scores) {
    std::fill(scores.begin(), scores.end(), 0.0f);
    if (read.size() >= 4) scores[17] = std::numeric_limits<float>::quiet_NaN();
  };
  const auto model = fake_model(broken, kWords);
  LocalGenerator generator(*model);
  Audience audience;
  run(generator, {request_of({1, 2}, {FreeStage{9, {}}})}, audience);
  EXPECT_EQ(audience.completion(0).stop, StopReason::kFailed);
  EXPECT_EQ(audience.completion(0).ids.size(), 2u);  // what came before stays
  EXPECT_THAT(audience.completion(0).error.value().message, HasSubstr("not numbers"));
}

TEST(LocalGenerator, TellsItsTimes) {
  FakeDecoder* decoder = nullptr;
  const auto model = fake_model(endless_scores(), kWords, &decoder);
  decoder->step_s = 0.01;
  LocalGenerator generator(*model, {.max_sequences = 1, .max_batch_tokens = 10});
  Audience audience;
  run(generator,
      {request_of(some_prompt(30, 1), {FreeStage{5, {}}}, {.temperature = 1}),
       request_of(some_prompt(10, 1), {FreeStage{1, {}}})},
      audience);
  EXPECT_GE(audience.completion(0).prefill_s, 0.03);
  EXPECT_GE(audience.completion(0).decode_s, 0.04);
  EXPECT_GE(audience.completion(1).queued_s, 0.07);
  EXPECT_LT(audience.completion(0).queued_s, 0.07);
}

}  // namespace
}  // namespace rr
