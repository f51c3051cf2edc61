#include "rr/rerank/driver.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <thread>
#include <utility>

#include "rr/base/random.h"
#include "rr/rerank/internal/fakes.h"

namespace rr {
namespace {

using internal::HeldGenerator;
using ::testing::HasSubstr;

std::vector<Request> topics(std::size_t count, std::size_t candidates = 6) {
  std::vector<Request> requests;
  for (std::size_t t = 0; t < count; ++t) {
    Request request{{Qid(fmt::format("q{}", t)), "?", {}}, {}, {}};
    for (std::size_t i = 0; i < candidates; ++i) {
      request.candidates.push_back({Docid(fmt::format("d{}", i)), "", "text"});
      request.scores.push_back(-static_cast<double>(i));
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

// Turns every window round.
Completion reverse(const GenerationRequest& request) {
  Completion completion;
  for (const Stage& stage : request.stages) {
    const auto* permutation = std::get_if<PermutationStage>(&stage);
    if (permutation == nullptr) continue;
    for (std::size_t i = permutation->size; i > 0; --i) {
      completion.text += fmt::format("[{}]{}", i, i > 1 ? " > " : "");
    }
  }
  return completion;
}

std::string docids_of(const Ranking& ranking) {
  std::string text;
  for (const ScoredDocid& doc : ranking.docs) text += doc.docid.str();
  return text;
}

class Listener : public RerankListener {
 public:
  Status on_topic(std::size_t topic, const RerankSession&, const TopicResult&) override {
    done.push_back(topic);
    if (done.size() == fail_at) return Error{Errc::kUnavailable, "disk full", "out"};
    return ok_status();
  }
  void on_window(std::size_t, const RerankSession&) override { ++windows; }
  bool wants_text() const override { return true; }
  void on_text(std::size_t, std::string_view text) override { heard += text.size(); }

  std::vector<std::size_t> done;
  std::size_t windows = 0;
  std::size_t heard = 0;
  std::size_t fail_at = 0;
};

const PromptBuilder kDirect(PromptOptions{.mode = PromptMode::kDirect});
const SlidingWindows kWindows(4, 2);  // two windows over 6 candidates: (2,6) and (0,4)

TEST(RerankAll, GivesResultsInTheOrderOfTheRequests) {
  const std::vector<Request> requests = topics(40);
  Listener listener;
  HeldGenerator generator(reverse);
  const auto expected =
      rerank_all(requests, generator, kWindows, kDirect, {.max_in_flight = 1}, listener);
  ASSERT_TRUE(expected.ok());
  EXPECT_EQ(listener.windows, 80u);
  EXPECT_GT(listener.heard, 80u);
  EXPECT_EQ(generator.most_waiting, 1u);
  ASSERT_EQ(expected->topics.size(), 40u);
  for (std::size_t t = 0; t < 40; ++t) {
    EXPECT_EQ(expected->topics[t].ranking.qid, requests[t].topic.qid);
    // (2,6) reversed: 0 1 5 4 3 2; then (0,4): 4 5 1 0 3 2.
    EXPECT_EQ(docids_of(expected->topics[t].ranking), "d4d5d1d0d3d2");
  }
}

TEST(RerankAll, KeepsManyTopicsInFlightAndNoMoreThanTheLimit) {
  const std::vector<Request> requests = topics(30);
  HeldGenerator generator(reverse);
  RandomStream random(3, 0);
  std::size_t submitted = 0;
  // Waits until all eight places are taken, then answers any, until the last submits have come.
  generator.choose = [&](std::size_t waiting) {
    ++submitted;
    return waiting < 8 ? -1 : static_cast<int>(random.below(waiting));
  };
  class StopAtTwenty : public Listener {
    Status on_topic(std::size_t topic, const RerankSession& s, const TopicResult& r) override {
      EXPECT_TRUE(Listener::on_topic(topic, s, r).ok());
      if (done.size() < 20) return ok_status();
      return Error{Errc::kUnavailable, "enough", ""};
    }
  } listener;
  const auto run =
      rerank_all(requests, generator, kWindows, kDirect, {.max_in_flight = 8}, listener);
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(generator.most_waiting, 8u);
  EXPECT_EQ(listener.done.size(), 20u);
  EXPECT_FALSE(std::is_sorted(listener.done.begin(), listener.done.end()));
  EXPECT_FALSE(generator.cancelled.empty());
}

TEST(RerankAll, RunsTheFirstTopicAloneWhereAskedTo) {
  HeldGenerator generator(reverse);
  Listener listener;
  const auto run = rerank_all(topics(5), generator, kWindows, kDirect,
                              {.max_in_flight = 4, .first_alone = true}, listener);
  ASSERT_TRUE(run.ok());
  EXPECT_TRUE(run->alone_s.has_value());
  EXPECT_EQ(generator.answered[0], "q0/0");
  EXPECT_EQ(generator.answered[1], "q0/1");
}

TEST(RerankAll, EndsATopicWhoseTimeIsUpWithWhatItHas) {
  HeldGenerator generator(reverse);
  // Topic 0 gets the answer to its first window and none to its second; topic 1 gets both. Which of
  // those that wait is answered follows from the order of the submits.
  std::size_t submits = 0;
  generator.choose = [&](std::size_t) {
    constexpr int kAnswers[] = {0, 0, -1, 1};  // q0/0, q1/0; q0/1 waits; q1/1
    return kAnswers[submits++];
  };
  Listener listener;
  const auto run =
      rerank_all(topics(2), generator, kWindows, kDirect,
                 {.max_in_flight = 2, .deadline = std::chrono::milliseconds(300)}, listener);
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(docids_of(run->topics[0].ranking), "d0d1d5d4d3d2");
  EXPECT_EQ(run->topics[0].windows_left, 1u);
  EXPECT_EQ(run->topics[0].report.topics_cut_short, 1u);
  EXPECT_GE(run->topics[0].seconds, 0.3);
  EXPECT_EQ(docids_of(run->topics[1].ranking), "d4d5d1d0d3d2");
  EXPECT_EQ(run->topics[1].windows_left, 0u);
  EXPECT_THAT(generator.cancelled, ::testing::ElementsAre(3u));
}

// What the model writes in the free stage of a request, at most.
std::size_t thinking_budget(const GenerationRequest& request) {
  for (const Stage& stage : request.stages) {
    if (const auto* free = std::get_if<FreeStage>(&stage)) return free->max_tokens;
  }
  return 0;
}

TEST(RerankAll, SharesATopicsTokensAmongItsWindows) {
  const PromptBuilder reasoning(PromptOptions{.mode = PromptMode::kReasoning});
  const std::size_t answer = answer_reserve(PromptMode::kReasoning, {}, 4, nullptr);
  std::vector<std::size_t> budgets;
  HeldGenerator generator([&](const GenerationRequest& request) {
    budgets.push_back(thinking_budget(request));
    Completion completion = reverse(request);
    completion.ids.resize(budgets.size() == 1 ? 40 : 60);
    return completion;
  });
  Listener listener;
  DriverOptions options;
  options.topic_tokens = 2 * answer + 200;
  ASSERT_TRUE(rerank_all(topics(1), generator, kWindows, reasoning, options, listener).ok());
  // 100 each; the first window wrote 40 in all, so the second may have all but that and its answer.
  EXPECT_THAT(budgets, ::testing::ElementsAre(100u, 2 * answer + 200 - 40 - answer));

  budgets.clear();
  options.answer.max_thinking = 30;
  ASSERT_TRUE(rerank_all(topics(1), generator, kWindows, reasoning, options, listener).ok());
  EXPECT_THAT(budgets, ::testing::ElementsAre(30u, 30u));

  options.topic_tokens = 2 * answer - 1;
  const auto refused = rerank_all(topics(3), generator, kWindows, reasoning, options, listener);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(
      refused.error().to_string(),
      fmt::format("topic q0: its 6 candidates need up to {} tokens for the windows' answers "
                  "alone, and a topic may write {}; give a topic more tokens or fewer windows",
                  2 * answer, 2 * answer - 1));
  EXPECT_EQ(budgets.size(), 2u);
}

TEST(RerankAll, TellsTheGeneratorWhatIsCertainOfTheNextPrompt) {
  const internal::ByteTokenizer tokenizer;
  const ChatTemplate chat = ChatTemplate::named("qwen2.5").value();
  const TextModel model{&tokenizer, &chat, 1 << 20};
  for (const bool reads_ahead : {true, false}) {
    std::vector<TokenIds> asked;
    HeldGenerator generator([&](const GenerationRequest& request) {
      asked.push_back(std::get<TokenIds>(request.prompt));
      return reverse(request);
    });
    generator.model = &model;
    Listener listener;
    DriverOptions options;
    options.reads_ahead = reads_ahead;
    ASSERT_TRUE(rerank_all(topics(1), generator, kWindows, kDirect, options, listener).ok());
    ASSERT_EQ(asked.size(), 2u);
    ASSERT_EQ(generator.expected.size(), reads_ahead ? 1u : 0u);
    if (!reads_ahead) continue;
    const TokenIds& expected = generator.expected[0];
    ASSERT_LT(expected.size(), asked[1].size());
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), asked[1].begin()));
    const std::string text(expected.begin(), expected.end());
    EXPECT_THAT(text, HasSubstr("[1] text\n[2] text\n"));  // ranks 1 and 2, in no window before
  }
}

TEST(RerankAll, FailsWithTheTopicAndTheWindowAfterTellingWhatIsDone) {
  HeldGenerator generator([](const GenerationRequest& request) {
    Completion completion = reverse(request);
    if (request.label == "q2/1") {
      completion.stop = StopReason::kFailed;
      completion.error = Error{Errc::kUnavailable, "out of memory", "model"};
    }
    return completion;
  });
  Listener listener;
  const auto run =
      rerank_all(topics(5), generator, kWindows, kDirect, {.max_in_flight = 1}, listener);
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().to_string(), "topic q2, window of ranks 1-4: model: out of memory");
  EXPECT_THAT(listener.done, ::testing::ElementsAre(0, 1));
}

TEST(RerankAll, HandsOnAFailureOfTheListener) {
  HeldGenerator generator(reverse);
  Listener listener;
  listener.fail_at = 2;
  const auto run =
      rerank_all(topics(5), generator, kWindows, kDirect, {.max_in_flight = 1}, listener);
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().message, "disk full");
}

TEST(RerankAll, DoesNothingForNoTopicsAndKeepsTopicsWithoutWindows) {
  HeldGenerator generator(reverse);
  Listener listener;
  EXPECT_TRUE(rerank_all({}, generator, kWindows, kDirect, {}, listener).ok());
  const auto run = rerank_all(topics(2, 0), generator, kWindows, kDirect, {}, listener);
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->topics.size(), 2u);
  EXPECT_TRUE(generator.answered.empty());
}

constexpr std::size_t kInFlight = 20;

// Lets the topics of a run end in a random order: nothing is answered until kInFlight requests
// wait, then any one at a time.
class ShufflingGenerator : public Generator {
 public:
  explicit ShufflingGenerator(std::uint64_t seed) : random_(seed, 0) {}
  ~ShufflingGenerator() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  Result<GenerationId> submit(GenerationRequest request, GenerationListener listener) override {
    const std::lock_guard lock(mutex_);
    waiting_.emplace_back(std::move(request), std::move(listener));
    ++num_submitted_;
    wake_.notify_one();
    return GenerationId{1};
  }
  void cancel(GenerationId) override {}
  const TextModel* text_model() const override { return nullptr; }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(
          lock, [this] { return stopping_ || (num_submitted_ >= kInFlight && !waiting_.empty()); });
      if (stopping_) return;
      std::swap(waiting_[random_.below(waiting_.size())], waiting_.back());
      const auto [request, listener] = std::move(waiting_.back());
      waiting_.pop_back();
      lock.unlock();
      const Completion completion = reverse(request);
      listener({"", &completion});
      lock.lock();
    }
  }

  RandomStream random_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::pair<GenerationRequest, GenerationListener>> waiting_;
  std::size_t num_submitted_ = 0;
  bool stopping_ = false;
  std::thread thread_{[this] { work(); }};
};

TEST(RerankAll, GivesTheSameResultsWhateverOrderAnswersComeIn) {
  const std::vector<Request> requests = topics(50, 9);
  HeldGenerator one_by_one(reverse);
  Listener listener;
  const auto expected =
      rerank_all(requests, one_by_one, kWindows, kDirect, {.max_in_flight = 1}, listener);
  ASSERT_TRUE(expected.ok());
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    ShufflingGenerator generator(seed);
    Listener shuffled;
    const auto run =
        rerank_all(requests, generator, kWindows, kDirect, {.max_in_flight = kInFlight}, shuffled);
    ASSERT_TRUE(run.ok());
    EXPECT_FALSE(std::is_sorted(shuffled.done.begin(), shuffled.done.end()));
    for (std::size_t t = 0; t < requests.size(); ++t) {
      EXPECT_EQ(run->topics[t].ranking.qid, expected->topics[t].ranking.qid);
      EXPECT_EQ(docids_of(run->topics[t].ranking), docids_of(expected->topics[t].ranking));
    }
  }
}

// A model that finds passages of many "x" relevant: as an answer to one passage, and as the first
// of a window.
class CountsX {
 public:
  Completion operator()(const GenerationRequest& request) const {
    const auto& ids = std::get<TokenIds>(request.prompt);
    const std::string prompt(ids.begin(), ids.end());
    const auto& tokens = std::get<TokenChoiceStage>(request.stages.front()).tokens;
    StageReport stage;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      stage.choices.push_back({i + 1, logprob_of(static_cast<char>(tokens[i]), prompt)});
    }
    Completion completion;
    completion.stages = {stage};
    completion.prompt_tokens = ids.size();
    return completion;
  }

 private:
  static double logprob_of(char token, const std::string& prompt) {
    if (token == 'Y' || token == 'N') {
      const auto worth = static_cast<double>(std::count(prompt.begin(), prompt.end(), 'x'));
      return token == 'Y' ? worth - 20 : -20.5;
    }
    const std::string passage = fmt::format("[{}] ", token);
    const std::size_t begin = prompt.find(passage);
    const std::size_t end = std::min(prompt.find('\n', begin), prompt.size());
    EXPECT_NE(begin, std::string::npos) << passage;
    return static_cast<double>(std::count(prompt.begin() + static_cast<std::ptrdiff_t>(begin),
                                          prompt.begin() + static_cast<std::ptrdiff_t>(end), 'x')) -
           30;
  }
};

// Of topic t, candidate i has (i * 5 + t) % 7 "x".
std::vector<Request> topics_with_x(std::size_t count) {
  std::vector<Request> requests = topics(count);
  for (std::size_t t = 0; t < count; ++t) {
    for (std::size_t i = 0; i < requests[t].candidates.size(); ++i) {
      requests[t].candidates[i].text = "a " + std::string((i * 5 + t) % 7, 'x');
    }
  }
  return requests;
}

struct ScoringModel {
  internal::ByteTokenizer tokenizer;
  ChatTemplate chat = ChatTemplate::named("chatml").value();
  TextModel text{&tokenizer, &chat, 1 << 20};
  HeldGenerator generator{CountsX()};

  ScoringModel() { generator.model = &text; }
};

TEST(RerankAll, OrdersPassagesByTheOddsOfYes) {
  const PromptBuilder prompts(PromptOptions{.mode = PromptMode::kPointwise});
  std::vector<Request> requests = topics_with_x(9);
  requests[4].candidates.clear();
  requests[4].scores.clear();
  ScoringModel model;
  Listener listener;
  model.generator.choose = [](std::size_t waiting) { return static_cast<int>(waiting) - 1; };
  const auto run = rerank_all(requests, model.generator, kWindows, prompts,
                              {.method = RerankMethod::kPointwise, .max_in_flight = 5}, listener);
  ASSERT_TRUE(run.ok()) << run.error().to_string();
  EXPECT_EQ(listener.done.size(), 9u);
  EXPECT_EQ(listener.windows, 8u);
  for (std::size_t t = 0; t < 9; ++t) {
    const Ranking& ranking = run->topics[t].ranking;
    if (t == 4) {
      EXPECT_TRUE(ranking.docs.empty());
      continue;
    }
    ASSERT_EQ(ranking.docs.size(), 6u);
    for (std::size_t rank = 0; rank < 6; ++rank) {
      const auto i = static_cast<std::size_t>(ranking.docs[rank].docid.str()[1] - '0');
      EXPECT_NEAR(ranking.docs[rank].score, static_cast<double>((i * 5 + t) % 7) + 0.5, 1e-5);
    }
    EXPECT_TRUE(std::is_sorted(
        ranking.docs.begin(), ranking.docs.end(),
        [](const ScoredDocid& a, const ScoredDocid& b) { return a.score > b.score; }));
    EXPECT_GT(run->topics[t].report.prompt_tokens, 6u * 50);
  }
}

TEST(RerankAll, LooksOnlyAtThePassagesOfTheWindows) {
  const PromptBuilder prompts(PromptOptions{.mode = PromptMode::kPointwise});
  const std::vector<Request> requests = topics_with_x(1);  // x: 0 5 3 1 6 4
  const SlidingWindows middle({.window = 2, .stride = 1, .rank_start = 1, .rank_end = 5});
  ScoringModel model;
  Listener listener;
  const auto run = rerank_all(requests, model.generator, middle, prompts,
                              {.method = RerankMethod::kPointwise}, listener);
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(docids_of(run->topics[0].ranking), "d0d4d1d2d3d5");
  EXPECT_EQ(model.generator.answered.size(), 4u);
  double before = std::numeric_limits<double>::infinity();
  for (const ScoredDocid& doc : run->topics[0].ranking.docs) {
    EXPECT_LT(doc.score, before);
    before = doc.score;
  }
}

TEST(RerankAll, OrdersWindowsByTheirFirstIdentifier) {
  const std::vector<Request> requests = topics_with_x(3);
  ScoringModel model;
  Listener listener;
  const auto run = rerank_all(requests, model.generator, SlidingWindows(4, 2), kDirect,
                              {.method = RerankMethod::kFirst}, listener);
  ASSERT_TRUE(run.ok()) << run.error().to_string();
  EXPECT_EQ(listener.windows, 6u);
  // x: 0 5 3 1 6 4, by windows of 4: (2,6) gives 4 5 2 3 behind 0 1, then (0,4) gives 4 1 5 0.
  EXPECT_EQ(docids_of(run->topics[0].ranking), "d4d1d5d0d2d3");
  const auto whole = rerank_all(requests, model.generator, SlidingWindows(6, 6), kDirect,
                                {.method = RerankMethod::kFirst}, listener);
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(docids_of(whole->topics[0].ranking), "d4d1d5d2d3d0");
  EXPECT_NEAR(whole->topics[0].ranking.docs[0].score - whole->topics[0].ranking.docs[1].score, 1,
              1e-5);
}

TEST(RerankAll, RefusesToRankByProbabilitiesOfAModelElsewhere) {
  HeldGenerator generator(reverse);
  Listener listener;
  const auto run = rerank_all(topics(2), generator, kWindows, kDirect,
                              {.method = RerankMethod::kFirst}, listener);
  ASSERT_FALSE(run.ok());
  EXPECT_THAT(run.error().message, HasSubstr("needs a model in this process"));
}

}  // namespace
}  // namespace rr
