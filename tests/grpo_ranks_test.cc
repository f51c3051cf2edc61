// Reinforcement learning on several ranks, which are threads here.

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "rr/base/file.h"
#include "rr/ranks/thread_ranks.h"
#include "tests/grpo_fixture.h"

namespace rr {
namespace {

struct Trained {
  std::vector<float> weights;
  std::vector<GrpoStep> steps;
  std::size_t num_done = 0;
};

class GrpoRanks : public ::testing::Test {
 protected:
  GrpoRanks() {
    options_ = options_for_chance();
    options_.tasks_per_step = 4;
    options_.mini_batches = 2;
    options_.most_refills = 2;
    options_.rollouts.group_size = 4;
    options_.validate_every = 2;
    options_.bucket_bytes = 3000;
    // Adam's first steps go by a gradient's sign, even where it is but rounding, and one other draw
    // is another reply: with this epsilon small differences stay small.
    options_.optimiser.epsilon = 0.01;
    options_.schedule.peak = 0.01;
  }

  RunFolder folder(const std::string& name) const {
    return RunFolder::create(model_.folder / name, Json::object()).value();
  }

  // Goes on in `folder`. The rank `told` is told to stop after `until` steps.
  std::vector<Trained> train(std::size_t num_ranks, const RunFolder& folder,
                             std::optional<LoraShape> lora, std::size_t told = 0,
                             std::size_t until = 100) {
    std::vector<Trained> trained(num_ranks);
    run_thread_ranks(num_ranks, [&](Ranks& ranks) {
      GrpoRun run(model_, tasks_, options_, lora, Precision::kF32, &validation_, &ranks);
      std::vector<std::string> damaged;
      ASSERT_TRUE(run.trainer->restore(folder, damaged).ok());
      std::atomic<bool> stop = false;
      class StopAfter : public Quiet {
       public:
        StopAfter(std::size_t step, std::atomic<bool>& flag) : step_(step), flag_(flag) {}
        void on_step(const GrpoStep& step, std::size_t total) override {
          Quiet::on_step(step, total);
          flag_ = step.step >= step_;
        }

       private:
        std::size_t step_;
        std::atomic<bool>& flag_;
      } listener(ranks.rank() == told ? until : 100, stop);
      const Status status = run.trainer->run(folder, listener, stop);
      EXPECT_TRUE(status.ok()) << status.error().to_string();
      trained[ranks.rank()] = {run.weights(), listener.steps, run.trainer->num_done()};
    });
    return trained;
  }

  // Replies are the same to the letter; what is learnt from them, to the order of sums.
  static void expect_same_way(const GrpoStep& one, const GrpoStep& other) {
    EXPECT_EQ(one.rollout_tokens, other.rollout_tokens);
    EXPECT_EQ(one.reward.mean, other.reward.mean);
    EXPECT_EQ(one.num_tried, other.num_tried);
    EXPECT_EQ(one.learn_tokens, other.learn_tokens);
    EXPECT_NEAR(one.policy_loss, other.policy_loss, 1e-5);
    EXPECT_NEAR(one.kl, other.kl, 1e-5);
    EXPECT_NEAR(one.entropy, other.entropy, 1e-5);
    EXPECT_NEAR(one.grad_norm / other.grad_norm, 1, 1e-3);
    EXPECT_LT(one.worst_disagreement, 1e-5);
    ASSERT_EQ(one.validation.has_value(), other.validation.has_value());
    if (one.validation) {
      EXPECT_NEAR(one.validation->ndcg, other.validation->ndcg, 1e-9);
    }
  }

  internal::TinyModel model_{4096};
  PromptedTasks tasks_ = some_tasks(model_, 7);
  PromptedTasks validation_ = some_tasks(model_, 3);
  GrpoOptions options_;
};

TEST_F(GrpoRanks, LearnTogetherWhatOneLearnsAlone) {
  options_.row_tokens = 100'000;  // of a group as many prompts learn, however ranks share
  for (const bool with_adapters : {false, true}) {
    std::optional<LoraShape> lora;
    if (with_adapters) lora = LoraShape{4, 8};
    const std::string name = with_adapters ? "lora" : "full";
    const Trained alone = train(1, folder(name + "-1"), lora)[0];
    ASSERT_EQ(alone.steps.size(), 4u);
    EXPECT_GT(alone.steps[0].teaching, 0);
    for (const std::size_t num_ranks : std::vector<std::size_t>{2, 3}) {
      const std::vector<Trained> trained =
          train(num_ranks, folder(fmt::format("{}-{}", name, num_ranks)), lora);
      for (const Trained& rank : trained) {
        ASSERT_EQ(rank.steps.size(), alone.steps.size());
        for (std::size_t i = 0; i < alone.steps.size(); ++i) {
          SCOPED_TRACE(fmt::format("{} on {} ranks, step {}", name, num_ranks, i + 1));
          expect_same_way(rank.steps[i], alone.steps[i]);
        }
        EXPECT_EQ(rank.weights, trained[0].weights);  // to the bit
      }
      EXPECT_LT(furthest(trained[0].weights, alone.weights), 1e-3);
    }
  }
}

TEST_F(GrpoRanks, GoOnInAnyNumber) {
  const Trained whole = train(1, folder("whole"), {})[0];
  const RunFolder run = folder("parts");
  std::vector<GrpoStep> steps;
  for (const auto& [num_ranks, until] :
       std::vector<std::pair<std::size_t, std::size_t>>{{2, 1}, {3, 3}, {1, 100}}) {
    const Trained part = train(num_ranks, run, {}, num_ranks - 1, until)[0];
    EXPECT_EQ(part.num_done, std::min<std::size_t>(until, 4));
    steps.insert(steps.end(), part.steps.begin(), part.steps.end());
  }
  ASSERT_EQ(steps.size(), whole.steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) expect_same_way(steps[i], whole.steps[i]);
  const std::string samples = read_file(run.path() / "samples.jsonl").value();
  EXPECT_EQ(samples, read_file(model_.folder / "whole/samples.jsonl").value());
}

}  // namespace
}  // namespace rr
