#include "rr/train/ranking/ranking_tasks.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "rr/train/internal/tiny_test_model.h"
#include "rr/train/sft.h"

namespace rr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::atomic<bool> kNeverStop = false;

Json a_task(int number, const std::vector<int>& grades, const std::vector<int>& order = {}) {
  Json task = {{"qid", fmt::format("q{}", number)},
               {"query", fmt::format("what is {}?", number)},
               {"passages", Json::array()},
               {"grades", Json::object()}};
  for (std::size_t i = 0; i < grades.size(); ++i) {
    const std::string docid = fmt::format("d{}", i);
    task["passages"].push_back(
        {{"docid", docid}, {"text", fmt::format("{} is {}", number, grades[i] > 0 ? "so" : "no")}});
    task["grades"][docid] = grades[i];
  }
  for (const int i : order) task["final_list"].push_back(fmt::format("d{}", i));
  return task;
}

class RankingTraining : public ::testing::Test {
 protected:
  TextModel text() const { return {model_.tokenizer.get(), &model_.chat, 8192}; }

  Result<RankingTasks> read(const std::vector<Json>& tasks, const RankingTaskOptions& options) {
    std::string lines;
    for (const Json& task : tasks) lines += to_json_line(task) + "\n";
    return RankingTasks::read(model_.folder.write("tasks.jsonl", lines), text(), options);
  }

  std::unique_ptr<Learner> learner(ThreadPool& pool, Precision precision = Precision::kF32) {
    LearnerOptions options;
    options.precision = precision;
    return Learner::load(*model_.files, options, pool).value();
  }

  internal::TinyModel model_{8192};
};

RankingTaskOptions with(RerankMethod method, RankingTarget target = RankingTarget::kGrades) {
  return {method, target, 512, 4096};
}

TEST_F(RankingTraining, GainsAreGradesOrTheTeachersRanks) {
  const Json task = a_task(1, {0, 2, -1, 1}, {3, 1, 0, 2});
  const auto grades = read({task}, with(RerankMethod::kPointwise));
  ASSERT_TRUE(grades.ok()) << grades.error().to_string();
  EXPECT_THAT(grades->gains(0), ElementsAre(0, 2, 0, 1));
  const auto order = read({task}, with(RerankMethod::kPointwise, RankingTarget::kOrder));
  EXPECT_THAT(order->gains(0), ElementsAre(1.0 / 3, 0.5, 0.25, 1));
}

TEST_F(RankingTraining, LeavesOutAndCountsWhatTeachesNothing) {
  RankingTaskOptions options = with(RerankMethod::kPointwise);
  options.max_prompt_tokens = 300;
  Json long_one = a_task(4, {0, 1});
  long_one["passages"][0]["text"] = std::string(400, 'x');
  const auto tasks =
      read({a_task(1, {1, 0}), a_task(2, {1, 1}), a_task(3, {0}), long_one}, options);
  ASSERT_TRUE(tasks.ok()) << tasks.error().to_string();
  EXPECT_EQ(tasks->size(), 1u);
  EXPECT_EQ(tasks->num_read(), 4u);
  EXPECT_EQ(tasks->num_equal(), 2u);
  EXPECT_EQ(tasks->num_long(), 1u);
  EXPECT_THAT(read({a_task(2, {1, 1})}, options).error().message,
              HasSubstr("expected a task to learn from, found none: of 1, 1 have no passage"));
  Json unlisted = a_task(1, {1, 0});
  unlisted["grades"]["other"] = 1;
  EXPECT_THAT(read({unlisted}, options).error().message, HasSubstr("found other in the grades"));
}

// What all prompts begin with is read once.
TEST_F(RankingTraining, PassagesShareTheBeginningOfTheirPrompts) {
  const auto tasks = read({a_task(1, {1, 0, 0})}, with(RerankMethod::kPointwise));
  const RankingExample example = tasks->example(0, 7).value();
  ASSERT_EQ(example.texts.size(), 1u + 3 * 3);  // beginning; of each passage: rest, No, Yes
  EXPECT_EQ(example.parents[0], LearnerSegment::kNoParent);
  EXPECT_EQ(example.parents[1], 0u);
  EXPECT_EQ(example.texts[2], TokenIds{'N'});
  EXPECT_EQ(example.parents[2], 1u);
  EXPECT_EQ(example.targets.size(), 6u);
  const std::vector<float> logprobs = {-1, -3, -2, -2.5, -7, -1};
  EXPECT_THAT(example.scores(logprobs, 3), ElementsAre(2.0, 0.5, -6.0));
  const std::vector<double> slopes = {1, 0.5, -2};
  EXPECT_THAT(example.slopes(slopes), ElementsAre(1, -1, 0.5, -0.5, -2, 2));
}

TEST_F(RankingTraining, ASeedShufflesWhatTheModelSeesAndNothingElse) {
  std::vector<int> grades(12);
  grades[4] = 1;
  const auto tasks = read({a_task(1, grades)}, with(RerankMethod::kFirst));
  const RankingExample as_listed = tasks->example(0, 0).value();
  const RankingExample shuffled = tasks->example(0, 5).value();
  EXPECT_NE(as_listed.texts[0], shuffled.texts[0]);
  EXPECT_EQ(as_listed.texts[0].size(), shuffled.texts[0].size());
  EXPECT_EQ(tasks->example(0, 5).value().texts, shuffled.texts);
  std::vector<bool> has_score(12);
  for (const RankingExample::Part& part : shuffled.parts) has_score[part.passage] = true;
  EXPECT_EQ(std::count(has_score.begin(), has_score.end(), true), 12);
}

TEST_F(RankingTraining, LossAndSlopesAreThoseOfTheScores) {
  ThreadPool pool(2);
  for (const RerankMethod method : {RerankMethod::kPointwise, RerankMethod::kFirst}) {
    const auto tasks = read({a_task(1, {1, 0, 2, 0})}, with(method));
    const RankingExample example = tasks->example(0, 3).value();
    const auto model = learner(pool);
    const auto loss_of = [&] {
      return ranking_loss(RankingLossKind::kSoftmax,
                          example.scores(model->evaluate(example.batch()), 4), tasks->gains(0));
    };
    model->clear_gradients();
    model->learn_jointly(example.batch(), [&](std::span<const float> logprobs) {
      return example.slopes(
          ranking_loss(RankingLossKind::kSoftmax, example.scores(logprobs, 4), tasks->gains(0))
              .slopes);
    });
    double square = 0;
    for (const Parameter& tensor : model->parameters()) {
      for (const float g : tensor.gradient) square += static_cast<double>(g) * g;
    }
    const auto loss_along = [&](double step) {
      const auto move = [&](double by) {
        for (const Parameter& tensor : model->parameters()) {
          for (std::size_t i = 0; i < tensor.values.size(); ++i) {
            tensor.values[i] += static_cast<float>(by * tensor.gradient[i] / std::sqrt(square));
          }
        }
        model->update();
      };
      move(step);
      const double loss = loss_of().loss;
      move(-step);
      return loss;
    };
    constexpr double kStep = 3e-3;
    const double slope = (loss_along(kStep) - loss_along(-kStep)) / (2 * kStep);
    EXPECT_NEAR(slope / std::sqrt(square), 1, 1e-2);
  }
}

class Quiet : public SftListener {
 public:
  void on_step(const SftStep& step, std::size_t) override { steps.push_back(step); }
  void on_validation(std::size_t, const SftValidation&) override {}
  void on_saved(std::size_t) override {}
  std::vector<SftStep> steps;
};

// "so" is relevant and "no" is not.
TEST_F(RankingTraining, AModelLearnsToRank) {
  std::vector<Json> lines;
  for (int i = 0; i < 8; ++i) {
    std::vector<int> grades(3);
    grades[static_cast<std::size_t>(i) % 3] = 1;
    lines.push_back(a_task(i, grades));
  }
  const auto tasks = read(lines, with(RerankMethod::kPointwise));
  ASSERT_TRUE(tasks.ok());
  ThreadPool pool(2);
  const auto model = learner(pool);
  SingleRank alone;
  EXPECT_LT(measure_accuracy(*model, tasks.value(), alone).value().ndcg_of_lists, 0.8);
  SftOptions options;
  options.schedule = {Decay::kConstant, 0.01, 0, 60};
  options.ranking.tasks_per_step = 4;
  options.save_every = 1000;
  const SftSources sources = {.tasks = &tasks.value(), .validation_tasks = &tasks.value()};
  SftTrainer trainer(*model, sources, options, pool, alone);
  const RunFolder folder = RunFolder::create(model_.folder / "run", Json::object()).value();
  Quiet listener;
  const Status status = trainer.run(folder, listener, kNeverStop);
  ASSERT_TRUE(status.ok()) << status.error().to_string();
  const SftStep& last = listener.steps.back();
  EXPECT_NEAR(*listener.steps.front().ranking_loss, std::log(3.0), 0.5);
  EXPECT_LT(*last.ranking_loss, 0.1);
  EXPECT_EQ(last.loss, *last.ranking_loss);
  EXPECT_EQ(*last.validation.ndcg, 1);
  EXPECT_GT(last.tokens, 0u);
  EXPECT_EQ(last.completion_tokens, 0u);
}

TEST_F(RankingTraining, ALossOfTasksJoinsThatOfExamples) {
  const SftData data =
      read_sft_data(model_.folder.write("sft.jsonl", "{\"prompt\":\"a\",\"completion\":\"b\"}\n"),
                    model_.tokens(), {})
          .value();
  const auto tasks = read({a_task(1, {1, 0}), a_task(2, {0, 1})}, with(RerankMethod::kPointwise));
  ThreadPool pool(1);
  SingleRank alone;
  SftOptions options;
  options.schedule = {Decay::kConstant, 0.01, 0, 5};
  options.ranking = {RankingLossKind::kRankNet, 0.5, 2};
  const auto first_step = [&](const SftSources& sources) {
    const auto model = learner(pool);
    SftTrainer trainer(*model, sources, options, pool, alone);
    const SftStep step = *trainer.step(kNeverStop).value();
    std::vector<std::vector<float>> gradients;
    for (const Parameter& tensor : model->parameters()) {
      gradients.emplace_back(tensor.gradient.begin(), tensor.gradient.end());
    }
    return std::pair(step, gradients);
  };
  const auto [both, of_both] = first_step({.examples = &data, .tasks = &tasks.value()});
  const auto [words, of_words] = first_step({.examples = &data});
  const auto [ranks, of_ranks] = first_step({.tasks = &tasks.value()});
  EXPECT_NEAR(both.loss, words.loss + ranks.loss, 1e-6);
  EXPECT_NEAR(ranks.loss, 0.5 * *ranks.ranking_loss, 1e-12);
  EXPECT_FALSE(words.ranking_loss.has_value());
  EXPECT_EQ(both.tokens, words.tokens + ranks.tokens);
  for (std::size_t i = 0; i < of_both.size(); ++i) {
    for (std::size_t j = 0; j < of_both[i].size(); ++j) {
      ASSERT_NEAR(of_both[i][j], of_words[i][j] + of_ranks[i][j], 1e-5);
    }
  }
}

}  // namespace
}  // namespace rr
