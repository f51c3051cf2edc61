#include "rr/lm/generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <thread>

#include "rr/lm/replay_generator.h"

namespace rr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Texts = std::map<std::string, std::string>;

GenerationRequest request_of(const std::string& label, std::size_t num_stages = 1) {
  GenerationRequest request;
  request.label = label;
  request.stages.assign(num_stages, FreeStage{.max_tokens = 8, .stop = {}});
  return request;
}

// Answers from threads of its own, later requests first; refuses the label "bad".
class SlowGenerator : public Generator {
 public:
  ~SlowGenerator() override {
    for (std::thread& thread : threads_) thread.join();
  }

  Result<GenerationId> submit(GenerationRequest request, GenerationListener listener) override {
    if (request.label == "bad") return Error{Errc::kRejected, "a bad request", request.label};
    const GenerationId id = threads_.size();
    threads_.emplace_back([id, label = request.label, listener = std::move(listener)] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20 - 5 * static_cast<int>(id)));
      Completion completion;
      completion.text = "re: " + label;
      listener({completion.text, nullptr});
      listener({"", &completion});
    });
    return id;
  }
  void cancel(GenerationId id) override { cancelled_.push_back(id); }
  const TextModel* text_model() const override { return nullptr; }

  const std::vector<GenerationId>& cancelled() const { return cancelled_; }

 private:
  std::vector<std::thread> threads_;
  std::vector<GenerationId> cancelled_;
};

TEST(GenerateAll, GivesCompletionsInTheOrderOfTheRequests) {
  SlowGenerator generator;
  const auto all = generate_all(generator, {request_of("a"), request_of("b"), request_of("c")});
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all.value().size(), 3u);
  EXPECT_EQ(all.value()[0].text, "re: a");
  EXPECT_EQ(all.value()[1].text, "re: b");
  EXPECT_EQ(all.value()[2].text, "re: c");
}

TEST(GenerateAll, CancelsTheOthersWhereOneIsRefused) {
  SlowGenerator generator;
  const auto all = generate_all(generator, {request_of("a"), request_of("bad"), request_of("c")});
  ASSERT_FALSE(all.ok());
  EXPECT_EQ(all.error().message, "a bad request");
  EXPECT_THAT(generator.cancelled(), ElementsAre(0u));
}

TEST(GenerateAll, IsDoneAtOnceWithoutRequests) {
  SlowGenerator generator;
  EXPECT_TRUE(generate_all(generator, {}).value().empty());
}

TEST(ReplayGenerator, AnswersWithTheRecordedText) {
  ReplayGenerator generator(Texts{{"q1/0", "[2] > [1]"}, {"q1/1", "a\xFF"}});
  const auto all = generate_all(generator, {request_of("q1/1"), request_of("q1/0", 3)}).value();
  EXPECT_EQ(all[0].text, "a\uFFFD");
  EXPECT_EQ(all[1].text, "[2] > [1]");
  EXPECT_EQ(all[1].stop, StopReason::kEnd);
  ASSERT_EQ(all[1].stages.size(), 3u);
  EXPECT_EQ(all[1].stages[0].num_tokens, 0u);
  EXPECT_FALSE(all[1].error.has_value());
  EXPECT_EQ(generator.text_model(), nullptr);
}

TEST(ReplayGenerator, FailsAndNamesTheLabelWhereNothingWasRecorded) {
  ReplayGenerator generator(Texts{{"q1/0", "x"}});
  const auto all = generate_all(generator, {request_of("q2/0")}).value();
  EXPECT_EQ(all[0].stop, StopReason::kFailed);
  ASSERT_TRUE(all[0].error.has_value());
  EXPECT_THAT(all[0].error->to_string(), HasSubstr("q2/0: expected a recorded answer"));
}

TEST(ReplayGenerator, TellsTheListenerOnce) {
  ReplayGenerator generator(Texts{{"q", "text"}});
  int calls = 0;
  std::string heard;
  const auto id = generator.submit(request_of("q"), [&](const GenerationEvent& event) {
    ++calls;
    heard += event.text;
    EXPECT_NE(event.completion, nullptr);
  });
  EXPECT_TRUE(id.ok());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(heard, "text");
  generator.cancel(id.value());  // ended long ago
}

TEST(StopReason, HasTheNamesOfTheHeader) {
  EXPECT_STREQ(stop_reason_name(StopReason::kEnd), "end");
  EXPECT_STREQ(stop_reason_name(StopReason::kStop), "stop");
  EXPECT_STREQ(stop_reason_name(StopReason::kLength), "length");
  EXPECT_STREQ(stop_reason_name(StopReason::kCancelled), "cancelled");
  EXPECT_STREQ(stop_reason_name(StopReason::kFailed), "failed");
}

}  // namespace
}  // namespace rr
