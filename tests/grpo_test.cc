// Reinforcement learning as a whole: rollouts by lm_local, learning by train, on a model of a few
// thousand weights.

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "rr/base/file.h"
#include "tests/grpo_fixture.h"

namespace rr {
namespace {

TEST(Grpo, LearnsFromTheLogProbabilitiesThatItWroteWith) {
  const internal::TinyModel model(4096);
  const PromptedTasks tasks = some_tasks(model, 4);
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    for (const std::size_t rank : std::vector<std::size_t>{0, 4}) {
      SCOPED_TRACE(fmt::format("rank {}", rank));
      GrpoOptions options = options_for_chance();
      options.most_disagreement = 1e-5;
      std::optional<LoraShape> lora;
      if (rank > 0) lora = LoraShape{rank, 8};
      GrpoRun run(model, tasks, options, lora, precision);
      const GrpoStep first = run.step();
      EXPECT_LT(first.worst_disagreement, 1e-5);
      EXPECT_NEAR(first.kl, 0, 1e-9);  // the model is still its reference
      EXPECT_EQ(first.clipped, 0);
      EXPECT_GT(first.teaching, 0);
      EXPECT_GT(first.grad_norm, 0);
      const GrpoStep second = run.step();
      EXPECT_LT(second.worst_disagreement, 1e-5);
      EXPECT_GT(second.kl, 1e-9);
    }
  }
}

TEST(Grpo, StopsWhereWritingAndLearningDisagree) {
  const internal::TinyModel model(4096);
  const PromptedTasks tasks = some_tasks(model, 4);
  GrpoRun run(model, tasks, options_for_chance());
  // A learner that moved without the decoder's knowing.
  for (const Parameter& parameter : run.learner->parameters()) {
    for (float& value : parameter.values) value *= 1.1f;
  }
  run.learner->update();
  const std::vector<float> before = run.weights();
  const auto step = run.trainer->step(run.listener, kNeverStop);
  ASSERT_FALSE(step.ok());
  EXPECT_THAT(step.error().message,
              ::testing::HasSubstr("log-probabilities of writing and of learning differ by"));
  EXPECT_EQ(run.weights(), before);
}

TEST(Grpo, AGroupInOneRowTeachesWhatItTeachesInSeveral) {
  const internal::TinyModel model(4096);
  const PromptedTasks tasks = some_tasks(model, 4);
  GrpoOptions options = options_for_chance();
  options.row_tokens = 100'000;
  GrpoRun together(model, tasks, options);
  options.row_tokens = 1;  // every reply with a prompt of its own
  GrpoRun apart(model, tasks, options);
  const GrpoStep one = together.step();
  const GrpoStep other = apart.step();
  EXPECT_LT(one.learn_tokens * 2, other.learn_tokens);
  EXPECT_NEAR(one.grad_norm / other.grad_norm, 1, 1e-5);
  EXPECT_NEAR(one.policy_loss, other.policy_loss, 1e-6);
  EXPECT_LT(furthest(together.weights(), apart.weights()), 1e-5);
}

TEST(Grpo, GoesOnToTheBitAsIfItHadNotStopped) {
  const internal::TinyModel model(4096);
  const PromptedTasks tasks = some_tasks(model, 5);
  const PromptedTasks validation = some_tasks(model, 2);
  GrpoOptions options = options_for_chance();
  options.mini_batches = 2;
  options.epochs = 2;
  options.most_refills = 2;
  options.validate_every = 2;
  const auto folder = [&](const char* name) {
    return RunFolder::create(model.folder / name, Json::object()).value();
  };
  const auto metrics = [](const RunFolder& run, const char* name) {
    std::vector<Json> lines;
    const std::string text = read_file(run.path() / name).value();
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      lines.push_back(Json::parse(text.substr(at, text.find('\n', at) - at)));
      for (const char* const timed : {"seconds", "rollout_seconds", "learn_seconds",
                                      "rollout_tokens_per_s", "learn_tokens_per_s"}) {
        lines.back().erase(timed);
      }
    }
    return lines;
  };
  for (const bool with_adapters : {false, true}) {
    std::optional<LoraShape> lora;
    if (with_adapters) lora = LoraShape{4, 8};
    const auto run_to_end = [&](const RunFolder& run) {
      GrpoRun whole(model, tasks, options, lora, Precision::kF32, &validation);
      std::vector<std::string> damaged;
      EXPECT_TRUE(whole.trainer->restore(run, damaged).ok());
      EXPECT_TRUE(whole.trainer->run(run, whole.listener, kNeverStop).ok());
      EXPECT_EQ(whole.trainer->num_done(), 4u);
      return whole.weights();
    };
    const RunFolder straight = folder(with_adapters ? "straight-lora" : "straight");
    const std::vector<float> expected = run_to_end(straight);

    const RunFolder halting = folder(with_adapters ? "halting-lora" : "halting");
    for (std::size_t stop_at = 1; stop_at < 4; ++stop_at) {
      GrpoRun part(model, tasks, options, lora, Precision::kF32, &validation);
      std::vector<std::string> damaged;
      ASSERT_TRUE(part.trainer->restore(halting, damaged).ok());
      std::atomic<bool> stop = false;
      class StopAfterOne : public Quiet {
       public:
        explicit StopAfterOne(std::atomic<bool>& flag) : flag_(flag) {}
        void on_step(const GrpoStep&, std::size_t) override { flag_ = true; }

       private:
        std::atomic<bool>& flag_;
      } listener(stop);
      ASSERT_TRUE(part.trainer->run(halting, listener, stop).ok());
      ASSERT_EQ(part.trainer->num_done(), stop_at);
    }
    EXPECT_EQ(run_to_end(halting), expected);
    EXPECT_EQ(metrics(halting, "metrics.jsonl"), metrics(straight, "metrics.jsonl"));
    EXPECT_EQ(metrics(halting, "samples.jsonl"), metrics(straight, "samples.jsonl"));
    EXPECT_EQ(metrics(straight, "metrics.jsonl").size(), 5u);  // one look before the first step
  }
}

TEST(Grpo, AStoppedStepChangesNothing) {
  const internal::TinyModel model(4096);
  const PromptedTasks tasks = some_tasks(model, 3);
  GrpoRun run(model, tasks, options_for_chance());
  const std::vector<float> before = run.weights();
  const std::atomic<bool> stopped = true;
  EXPECT_FALSE(run.trainer->step(run.listener, stopped).value().has_value());
  EXPECT_EQ(run.weights(), before);
  EXPECT_EQ(run.trainer->num_done(), 0u);
}

// Replies of noise, of which each token takes its share off the reward, become short. When
// they begin to is chance: of fifteen seeds, the first took 16 steps and the last 36.
TEST(Grpo, MakesMoreLikelyWhatIsRewarded) {
  constexpr std::size_t kMostSteps = 120;
  const internal::TinyModel model(4096);
  const PromptedTasks tasks = some_tasks(model, 2);
  GrpoOptions options = options_for_chance();
  options.schedule = {Decay::kConstant, 3e-3, 0, kMostSteps};
  options.rollouts = {16, 60, 1, 3};
  options.reward.wrong_answer = 0;
  options.reward.cost_per_1000_tokens = 10;
  options.loss.kl_coefficient = 0;
  for (const bool with_adapters : {false, true}) {
    std::optional<LoraShape> lora;
    if (with_adapters) lora = LoraShape{8, 16};
    GrpoRun run(model, tasks, options, lora, Precision::kBf16);
    const auto mean_of_five_steps = [&] {
      double tokens = 0;
      for (int step = 0; step < 5; ++step) tokens += run.step().tokens.mean / 5;
      return tokens;
    };
    EXPECT_GT(run.step().tokens.mean, 40);
    double last = 60;
    while (last >= 10 && run.trainer->num_done() < kMostSteps) last = mean_of_five_steps();
    EXPECT_LT(last, 10);
  }
}

}  // namespace
}  // namespace rr
