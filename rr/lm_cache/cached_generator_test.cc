#include "rr/lm_cache/cached_generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/test_folder.h"

namespace rr {
namespace {

using ::testing::HasSubstr;

// A model whose answers the test gives by hand.
class ModelByHand : public Generator {
 public:
  Result<GenerationId> submit(GenerationRequest request, GenerationListener listener) override {
    if (refuses) return Error{Errc::kRejected, "no", ""};
    const std::lock_guard lock(mutex_);
    asked_.push_back({std::move(request), std::move(listener)});
    return GenerationId{asked_.size()};
  }
  void cancel(GenerationId id) override { cancelled.push_back(id); }
  const TextModel* text_model() const override { return nullptr; }

  std::size_t num_asked() const {
    const std::lock_guard lock(mutex_);
    return asked_.size();
  }
  // Requests that wait for a budget are asked from another thread.
  void wait_for(std::size_t num_asked_wanted) const {
    while (num_asked() < num_asked_wanted) std::this_thread::yield();
  }

  void say(std::size_t index, const std::string& text) { call(index, {text, nullptr}); }
  void answer(std::size_t index, const std::string& text, std::size_t prompt_tokens,
              std::size_t completion_tokens) {
    Completion completion;
    completion.text = text;
    completion.prompt_tokens = prompt_tokens;
    completion.stages.resize(1);
    completion.stages[0].num_tokens = completion_tokens;
    call(index, {"", &completion});
  }
  void end(std::size_t index, StopReason stop) {
    Completion completion;
    completion.stop = stop;
    if (stop == StopReason::kFailed) completion.error = Error{Errc::kUnavailable, "down", ""};
    call(index, {"", &completion});
  }

  bool refuses = false;
  std::vector<GenerationId> cancelled;

 private:
  void call(std::size_t index, const GenerationEvent& event) {
    GenerationListener listener;
    {
      const std::lock_guard lock(mutex_);
      listener = asked_.at(index).second;
    }
    listener(event);
  }

  mutable std::mutex mutex_;
  std::deque<std::pair<GenerationRequest, GenerationListener>> asked_;
};

// What a listener heard.
struct Heard {
  std::mutex mutex;
  std::string text;
  std::optional<Completion> completion;

  GenerationListener listener() {
    return [this](const GenerationEvent& event) {
      const std::lock_guard lock(mutex);
      text += event.text;
      if (event.completion != nullptr) {
        EXPECT_FALSE(completion) << "one last event";
        completion = *event.completion;
      }
    };
  }
  bool has_ended() {
    const std::lock_guard lock(mutex);
    return completion.has_value();
  }
};

GenerationRequest question(const std::string& text, std::size_t max_tokens = 10) {
  GenerationRequest request;
  request.prompt = Messages{{Role::kUser, text}};
  request.stages = {FreeStage{max_tokens, {}}};
  request.label = "some/0";
  return request;
}

class CachedAnswers : public ::testing::Test {
 protected:
  CachedGenerator generator(Budget budget = {}) {
    auto prices = PriceList::parse("[model.m]\ninput = 1\noutput = 10\n", "prices").value();
    return CachedGenerator(model_, cache_, {"m", std::move(prices), budget});
  }

  TestFolder folder_;
  std::filesystem::path path_ = folder_ / "answers.sqlite";
  AnswerCache cache_ = AnswerCache::open(path_).value();
  ModelByHand model_;
};

TEST_F(CachedAnswers, AreAskedOnceAndReadFromThenOn) {
  {
    CachedGenerator cached = generator();
    Heard heard;
    ASSERT_TRUE(cached.submit(question("why?"), heard.listener()).ok());
    model_.say(0, "be");
    model_.say(0, "cause");
    model_.answer(0, "because", 11, 3);
    EXPECT_EQ(heard.text, "because");
    EXPECT_EQ(heard.completion->text, "because");
  }
  CachedGenerator cached = generator();
  Heard heard;
  ASSERT_TRUE(cached.submit(question("why?"), heard.listener()).ok());
  EXPECT_EQ(model_.num_asked(), 1U);
  EXPECT_EQ(heard.text, "because");
  EXPECT_EQ(heard.completion->prompt_tokens, 11U);
  EXPECT_EQ(heard.completion->stages.at(0).num_tokens, 3U);
  EXPECT_EQ(cached.counters().from_cache, 1U);
  EXPECT_EQ(cached.counters().asked, 0U);
}

TEST_F(CachedAnswers, AreStoredBeforeTheListenerHearsThem) {
  CachedGenerator cached = generator();
  bool was_stored = false;
  const std::string key = request_key("m", question("why?"));
  ASSERT_TRUE(cached
                  .submit(question("why?"),
                          [&](const GenerationEvent& event) {
                            if (event.completion == nullptr) return;
                            was_stored =
                                AnswerCache::open(path_).value().find(key).value().has_value();
                          })
                  .ok());
  model_.answer(0, "because", 1, 1);
  EXPECT_TRUE(was_stored);
}

TEST_F(CachedAnswers, TheSameRequestAskedTwiceAtOnceIsAskedOnce) {
  CachedGenerator cached = generator();
  Heard first;
  Heard second;
  ASSERT_TRUE(cached.submit(question("why?"), first.listener()).ok());
  ASSERT_TRUE(cached.submit(question("why?"), second.listener()).ok());
  model_.say(0, "because");
  model_.answer(0, "because", 1, 1);
  EXPECT_EQ(model_.num_asked(), 1U);
  EXPECT_EQ(first.text, "because");
  EXPECT_EQ(second.text, "because");
  EXPECT_EQ(cached.counters().joined, 1U);
}

TEST_F(CachedAnswers, DifferWithWhateverTheAnswerDependsOn) {
  const auto key = [](auto change) {
    GenerationRequest request = question("why?");
    change(request);
    return request_key("m", request);
  };
  const std::string plain = key([](GenerationRequest&) {});
  EXPECT_NE(plain, request_key("other", question("why?")));
  EXPECT_NE(plain, key([](GenerationRequest& r) { r.prompt = Messages{{Role::kSystem, "why?"}}; }));
  EXPECT_NE(plain, key([](GenerationRequest& r) { r.prompt = TokenIds{1, 2}; }));
  EXPECT_NE(plain, key([](GenerationRequest& r) { r.stages = {FreeStage{11, {}}}; }));
  EXPECT_NE(plain, key([](GenerationRequest& r) { r.stages = {FreeStage{10, {"."}}}; }));
  EXPECT_NE(plain, key([](GenerationRequest& r) { r.stages = {PermutationStage{3}}; }));
  EXPECT_NE(plain, key([](GenerationRequest& r) { r.sampling.temperature = 0.5; }));
  // Greedy: neither seed nor label changes anything. Drawn: both do.
  EXPECT_EQ(plain, key([](GenerationRequest& r) { r.sampling.seed = 9; }));
  EXPECT_EQ(plain, key([](GenerationRequest& r) { r.label = "other"; }));
  const auto drawn = [&key](std::uint64_t seed, const std::string& label) {
    return key([&](GenerationRequest& r) {
      r.sampling.temperature = 1;
      r.sampling.seed = seed;
      r.label = label;
    });
  };
  EXPECT_NE(drawn(0, "a"), drawn(1, "a"));
  EXPECT_NE(drawn(0, "a"), drawn(0, "b"));
  EXPECT_EQ(drawn(1, "b"), drawn(1, "b"));
}

// The text that is hashed is part of the file format: an answer once paid for must be found again.
TEST_F(CachedAnswers, HaveKeysThatDoNotChangeFromVersionToVersion) {
  // printf '%s' '{"model":"m","prompt":[["user","why?"]],"stages":[{"free":10,"stop":[]}],
  // "sampling":"greedy"}' | sha256sum, on one line
  EXPECT_EQ(request_key("m", question("why?")),
            "895e47e7352c0486ebfe3ad99d20bba61f022002f959a04209107cdb74b38b3b");
}

TEST_F(CachedAnswers, FailuresAreNotKept) {
  CachedGenerator cached = generator();
  Heard first;
  ASSERT_TRUE(cached.submit(question("why?"), first.listener()).ok());
  model_.end(0, StopReason::kFailed);
  EXPECT_EQ(first.completion->stop, StopReason::kFailed);
  Heard second;
  ASSERT_TRUE(cached.submit(question("why?"), second.listener()).ok());
  model_.answer(1, "because", 1, 1);
  EXPECT_EQ(second.completion->text, "because");
}

TEST_F(CachedAnswers, ARefusalIsHandedOnAndItsListenerStaysSilent) {
  model_.refuses = true;
  CachedGenerator cached = generator();
  Heard heard;
  const auto id = cached.submit(question("why?"), heard.listener());
  ASSERT_FALSE(id.ok());
  EXPECT_EQ(id.error().message, "no");
  EXPECT_FALSE(heard.has_ended());
}

TEST_F(CachedAnswers, CancellingReachesTheModelOnlyWhenNobodyWaitsAnyMore) {
  CachedGenerator cached = generator();
  Heard first;
  Heard second;
  const auto a = cached.submit(question("why?"), first.listener()).value();
  const auto b = cached.submit(question("why?"), second.listener()).value();
  cached.cancel(a);
  EXPECT_TRUE(model_.cancelled.empty());
  cached.cancel(b);
  EXPECT_THAT(model_.cancelled, ::testing::ElementsAre(1U));
  model_.end(0, StopReason::kCancelled);
  EXPECT_EQ(first.completion->stop, StopReason::kCancelled);
  EXPECT_EQ(second.completion->stop, StopReason::kCancelled);
}

TEST_F(CachedAnswers, StopBeforeABudgetOfTokensIsOverrun) {
  // At most 256 + 16 + 4 bytes of prompt and 10 tokens written: 286.
  CachedGenerator cached = generator({.usd = {}, .tokens = 286 + 285});
  Heard first;
  ASSERT_TRUE(cached.submit(question("why1"), first.listener()).ok());
  model_.answer(0, "because", 200, 10);
  Heard second;
  ASSERT_TRUE(cached.submit(question("why2"), second.listener()).ok());
  model_.answer(1, "because", 200, 10);
  Heard third;
  const auto refused = cached.submit(question("why3"), third.listener());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::kRejected);
  EXPECT_THAT(refused.error().message,
              HasSubstr("budget of 571 tokens does not allow another request: 420 are spent and "
                        "this one may take 286"));
  Heard known;
  EXPECT_TRUE(cached.submit(question("why1"), known.listener()).ok());  // costs nothing
  EXPECT_TRUE(known.has_ended());
}

TEST_F(CachedAnswers, WaitForARunningOneToCostLessThanItMight) {
  CachedGenerator cached = generator({.usd = {}, .tokens = 500});
  Heard first;
  Heard second;
  Heard third;
  ASSERT_TRUE(cached.submit(question("why1"), first.listener()).ok());
  ASSERT_TRUE(cached.submit(question("why2"), second.listener()).ok());
  ASSERT_TRUE(cached.submit(question("why3"), third.listener()).ok());
  EXPECT_EQ(model_.num_asked(), 1U);
  model_.answer(0, "because", 90, 10);
  model_.wait_for(2);  // 100 + 286 <= 500
  model_.answer(1, "because", 140, 10);
  while (!third.has_ended()) std::this_thread::yield();  // 250 + 286 > 500
  EXPECT_EQ(model_.num_asked(), 2U);
  EXPECT_EQ(third.completion->stop, StopReason::kFailed);
  EXPECT_THAT(third.completion->error->message, HasSubstr("250 are spent"));
}

TEST_F(CachedAnswers, CountWhatTheCacheSpentBeforeAgainstABudgetInDollars) {
  {
    CachedGenerator cached = generator();
    Heard heard;
    ASSERT_TRUE(cached.submit(question("why1"), heard.listener()).ok());
    model_.answer(0, "because", 1000000, 100000);  // 1 * $1 + 0.1 * $10 = $2
    EXPECT_DOUBLE_EQ(cached.counters().usd, 2.0);
  }
  CachedGenerator cached = generator({.usd = 2.0001, .tokens = {}});
  Heard heard;
  const auto refused = cached.submit(question("why2"), heard.listener());
  ASSERT_FALSE(refused.ok());  // 276 tokens read and 10 written may cost $0.000376
  EXPECT_THAT(refused.error().message,
              HasSubstr("$2.0000 are spent and this one may cost $0.0004"));
}

TEST_F(CachedAnswers, WhoseUsageIsNotSaidCountWithTheirUpperBound) {
  CachedGenerator cached = generator();
  Heard heard;
  ASSERT_TRUE(cached.submit(question("why?"), heard.listener()).ok());
  model_.answer(0, "because", 0, 0);
  const ModelSpending spent = cache_.spending().value().at(0);
  EXPECT_EQ(spent.prompt_tokens, 276U);
  EXPECT_EQ(spent.completion_tokens, 7U);
  EXPECT_EQ(spent.estimated, 1U);
}

TEST_F(CachedAnswers, ThatWaitAreCancelledWithTheGenerator) {
  Heard first;
  Heard second;
  {
    CachedGenerator cached = generator({.usd = {}, .tokens = 300});
    ASSERT_TRUE(cached.submit(question("why1"), first.listener()).ok());
    const auto id = cached.submit(question("why2"), second.listener());
    ASSERT_TRUE(id.ok());
    cached.cancel(id.value());
    while (!second.has_ended()) std::this_thread::yield();
    model_.answer(0, "because", 1, 1);
  }
  EXPECT_EQ(second.completion->stop, StopReason::kCancelled);
  EXPECT_EQ(first.completion->text, "because");
}

}  // namespace
}  // namespace rr
