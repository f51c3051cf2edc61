#pragma once

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "rr/lm_local/local_generator.h"
#include "rr/ranks/ranks.h"
#include "rr/rerank/answer.h"
#include "rr/train/grpo/grpo.h"
#include "rr/train/internal/tiny_test_model.h"

// Runs of reinforcement learning in this process, on a model of a few thousand weights.

namespace rr {

inline const std::atomic<bool> kNeverStop = false;

class Quiet : public GrpoListener {
 public:
  void on_rollouts(std::size_t, std::size_t, std::size_t) override {}
  void on_step(const GrpoStep& step, std::size_t) override { steps.push_back(step); }
  void on_validation(std::size_t step, const RankingQuality& quality) override {
    qualities[step] = quality;
  }
  void on_saved(std::size_t) override {}

  std::vector<GrpoStep> steps;
  std::map<std::size_t, RankingQuality> qualities;
};

// Replies are the whole answer here: a model this small has no thoughts.
inline PromptedTasks some_tasks(const internal::TinyModel& model, std::size_t count) {
  const PromptBuilder prompts(PromptOptions{.mode = PromptMode::kDirect});
  const TextModel text = {model.tokenizer.get(), &model.chat, 4096};
  PromptedTasks tasks;
  for (std::size_t i = 0; i < count; ++i) {
    RankingTask task;
    task.qid = Qid(fmt::format("q{}", i));
    task.query = fmt::format("question {}", i);
    task.passages = {{Docid("a"), "", "one"}, {Docid("b"), "", "two"}};
    task.grades = {{Docid("a"), 0}, {Docid("b"), 1}};
    TokenIds prompt =
        encode_prompt(prompt_of(task, prompts), PromptMode::kDirect, {}, text).value();
    tasks.tasks.push_back({std::move(task), std::move(prompt)});
  }
  return tasks;
}

// Rewards that differ though the model writes at random: some texts have two numbers in them.
inline GrpoOptions options_for_chance() {
  GrpoOptions options;
  options.schedule = {Decay::kConstant, 1e-3, 0, 4};
  options.tasks_per_step = 2;
  options.mini_batches = 1;
  options.rollouts = {6, 60, 1, 7};
  options.reward.format = AnswerFormat::kWhole;
  options.reward.rule = RewardRule::kPublished;
  options.reward.wrong_answer = -1;
  options.save_every = 1;
  return options;
}

// A run in this process: everything that a command would build.
class GrpoRun {
 public:
  GrpoRun(const internal::TinyModel& model, const PromptedTasks& tasks, const GrpoOptions& options,
          std::optional<LoraShape> lora = {}, Precision precision = Precision::kF32,
          const PromptedTasks* validation = nullptr, Ranks* ranks = nullptr)
      : pool(ranks == nullptr ? 2 : 1) {
    LocalModelOptions served_options;
    served_options.decoder = {.precision = precision, .as_learner = true, .lora = lora};
    served_options.num_threads = pool.num_threads();
    served_options.chat_template = "chatml";
    served = LocalModel::load(*model.files, served_options).value();
    served_options.decoder.lora = {};
    reference = LocalModel::load(*model.files, served_options).value();
    LearnerOptions learner_options;
    learner_options.precision = precision;
    learner_options.lora = lora;
    learner = Learner::load(*model.files, learner_options, pool).value();
    GrpoModel parts = {*learner, served->decoder(),
                       [this] { return std::make_unique<LocalGenerator>(*served); },
                       lora ? nullptr : &reference->decoder()};
    trainer = std::make_unique<GrpoTrainer>(std::move(parts), tasks, validation, options, pool,
                                            ranks == nullptr ? alone : *ranks);
  }

  GrpoStep step() { return trainer->step(listener, kNeverStop).value().value(); }

  std::vector<float> weights() const {
    std::vector<float> all;
    for (const Parameter& parameter : learner->parameters()) {
      all.insert(all.end(), parameter.values.begin(), parameter.values.end());
    }
    return all;
  }

  ThreadPool pool;
  SingleRank alone;
  std::unique_ptr<LocalModel> served;
  std::unique_ptr<LocalModel> reference;
  std::unique_ptr<Learner> learner;
  std::unique_ptr<GrpoTrainer> trainer;
  Quiet listener;
};

inline double furthest(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return most;
}

}  // namespace rr
