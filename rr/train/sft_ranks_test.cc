// Supervised fine-tuning on several ranks, which are threads here.

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <mutex>
#include <optional>

#include "rr/base/file.h"
#include "rr/ranks/thread_ranks.h"
#include "rr/train/internal/tiny_test_model.h"
#include "rr/train/sft.h"

namespace rr {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Quiet : public SftListener {
 public:
  void on_step(const SftStep& step, std::size_t) override { steps.push_back(step); }
  void on_validation(std::size_t, const SftValidation&) override {}
  void on_saved(std::size_t) override {}
  std::vector<SftStep> steps;
};

const std::atomic<bool> kNeverStop = false;

using Weights = std::vector<std::vector<float>>;

Weights weights_of(const Learner& learner) {
  Weights weights;
  for (const Parameter& parameter : learner.parameters()) {
    weights.emplace_back(parameter.values.begin(), parameter.values.end());
  }
  return weights;
}

double furthest(const Weights& a, const Weights& b) {
  double most = 0;
  for (std::size_t p = 0; p < a.size(); ++p) {
    for (std::size_t i = 0; i < a[p].size(); ++i) {
      most = std::max(most, std::abs(static_cast<double>(a[p][i]) - static_cast<double>(b[p][i])));
    }
  }
  return most;
}

// What a rank had in the end.
struct Trained {
  Weights weights;
  std::vector<SftStep> steps;
  Status status = ok_status();
  std::size_t num_done = 0;
};

class SftRanks : public ::testing::Test {
 protected:
  SftRanks() {
    std::string lines;
    for (const char* const word : {"one", "two, as one and one", "three", "four", "five", "six"}) {
      lines += std::string(R"({"prompt": "say )") + word + R"(", "completion": ")" + word + "\"}\n";
    }
    data_ = read_sft_data(model_.folder.write("sft.jsonl", lines), model_.tokens(), {}).value();
    lines.clear();
    for (int i = 0; i < 5; ++i) {
      lines += fmt::format(
          R"({{"qid":"q{0}","query":"what is {0}?","grades":{{"a":1}},"passages":[)"
          R"({{"docid":"a","text":"{0} is so"}},{{"docid":"b","text":"{0} is no {1}"}}]}})"
          "\n",
          i, std::string(static_cast<std::size_t>(i), 'x'));
    }
    tasks_ = RankingTasks::read(model_.folder.write("tasks.jsonl", lines),
                                {model_.tokenizer.get(), &model_.chat, 4096},
                                {RerankMethod::kPointwise, RankingTarget::kGrades, 512, 4096})
                 .value();
    options_.schedule = {Decay::kLinear, 0.003, 2, 10};
    options_.order.examples_per_step = 5;
    options_.order.row_tokens = 40;
    options_.ranking.tasks_per_step = 3;
    options_.validate_every = 5;
    options_.bucket_bytes = 3000;  // many, of a model this small
  }

  SftSources both() const {
    return {
        .examples = &data_, .tasks = &*tasks_, .validation = &data_, .validation_tasks = &*tasks_};
  }

  // Trains in `folder`, made by the caller, on so many ranks; what each had in the end.
  // `each(ranks, learner)` may do harm before the run begins, and `stop` tells each when to stop.
  std::vector<Trained> train(std::size_t num_ranks, const RunFolder& folder,
                             const SftSources& sources,
                             const std::function<void(Ranks&, Learner&)>& each = {},
                             const std::function<const std::atomic<bool>&(Ranks&)>& stop_of = {}) {
    std::vector<Trained> trained(num_ranks);
    run_thread_ranks(num_ranks, [&](Ranks& ranks) {
      ThreadPool pool(1);
      LearnerOptions learner_options;
      learner_options.precision = Precision::kF32;
      learner_options.lora = lora_;
      const auto learner = Learner::load(*model_.files, learner_options, pool).value();
      SftTrainer trainer(*learner, sources, options_, pool, ranks);
      Trained& mine = trained[ranks.rank()];
      std::vector<std::string> damaged;
      mine.status = trainer.restore(folder, damaged);
      if (!mine.status.ok()) return;
      if (each) each(ranks, *learner);
      Quiet listener;
      mine.status = trainer.run(folder, listener, stop_of ? stop_of(ranks) : kNeverStop);
      mine.weights = weights_of(*learner);
      mine.steps = listener.steps;
      mine.num_done = trainer.num_done();
    });
    return trained;
  }

  RunFolder folder(const std::string& name) {
    return RunFolder::create(model_.folder / name, Json::object()).value();
  }

  // That two runs went by the same losses, to the order of sums. The gradients of the first step
  // stand at the same weights; later ones do not, since AdamW moves a weight whose gradient is next
  // to nothing by as much as any other, in the direction that the order of sums gives.
  static void expect_same_way(const Trained& one, const Trained& other) {
    ASSERT_EQ(one.steps.size(), other.steps.size());
    for (std::size_t i = 0; i < one.steps.size(); ++i) {
      SCOPED_TRACE(fmt::format("step {}", i + 1));
      EXPECT_NEAR(one.steps[i].loss, other.steps[i].loss, 1e-5);
      EXPECT_NEAR(one.steps[i].grad_norm / other.steps[i].grad_norm, 1, i == 0 ? 1e-6 : 1e-3);
      EXPECT_EQ(one.steps[i].tokens, other.steps[i].tokens);
      EXPECT_EQ(one.steps[i].completion_tokens, other.steps[i].completion_tokens);
      ASSERT_EQ(one.steps[i].validation.loss.has_value(),
                other.steps[i].validation.loss.has_value());
      if (!one.steps[i].validation.loss) continue;
      EXPECT_NEAR(*one.steps[i].validation.loss, *other.steps[i].validation.loss, 1e-5);
      EXPECT_NEAR(*one.steps[i].validation.ndcg, *other.steps[i].validation.ndcg, 1e-9);
    }
  }

  internal::TinyModel model_{4096};
  SftData data_;
  std::optional<RankingTasks> tasks_;
  SftOptions options_;
  std::optional<LoraShape> lora_;
};

TEST_F(SftRanks, LearnTogetherWhatOneLearnsAlone) {
  for (const bool with_adapters : {false, true}) {
    lora_ = with_adapters ? std::optional(LoraShape{4, 8}) : std::nullopt;
    const std::string name = with_adapters ? "lora" : "full";
    const Trained alone = train(1, folder(name + "-1"), both())[0];
    ASSERT_TRUE(alone.status.ok());
    EXPECT_LT(alone.steps.back().loss, alone.steps.front().loss - 0.1);  // something was learnt
    for (const std::size_t num_ranks : std::vector<std::size_t>{2, 3, 12}) {
      SCOPED_TRACE(fmt::format("{} on {} ranks", name, num_ranks));
      const std::vector<Trained> trained =
          train(num_ranks, folder(fmt::format("{}-{}", name, num_ranks)), both());
      for (const Trained& rank : trained) {
        ASSERT_TRUE(rank.status.ok()) << rank.status.error().to_string();
        expect_same_way(rank, alone);
        EXPECT_EQ(rank.weights, trained[0].weights);  // to the bit
      }
      EXPECT_LT(furthest(trained[0].weights, alone.weights), 1e-3);
    }
  }
}

TEST_F(SftRanks, ExamplesAloneAndTasksAloneAreSharedToo) {
  for (const bool with_tasks : {false, true}) {
    const SftSources sources =
        with_tasks ? SftSources{.tasks = &*tasks_} : SftSources{.examples = &data_};
    const std::string name = with_tasks ? "tasks" : "examples";
    const Trained alone = train(1, folder(name + "-1"), sources)[0];
    const std::vector<Trained> trained = train(2, folder(name + "-2"), sources);
    expect_same_way(trained[0], alone);
    EXPECT_EQ(trained[1].weights, trained[0].weights);
  }
}

TEST_F(SftRanks, TheFirstWritesWhatOneWouldWrite) {
  options_.save_every = 4;
  const RunFolder run = folder("run");
  ASSERT_TRUE(train(3, run, both())[0].status.ok());
  const std::string metrics = read_file(run.path() / "metrics.jsonl").value();
  EXPECT_EQ(std::count(metrics.begin(), metrics.end(), '\n'), 11);  // a look before the first
  EXPECT_THAT(metrics, HasSubstr("\"wait_seconds\""));
  EXPECT_THAT(run.newest_checkpoint().value().filename().string(), HasSubstr("step-000010"));
}

// A run of three ranks is stopped, goes on as two, is stopped, and ends as one.
TEST_F(SftRanks, GoOnInAnyNumber) {
  const Trained whole = train(1, folder("whole"), both())[0];
  const RunFolder run = folder("parts");
  std::vector<Trained> last;
  std::vector<SftStep> steps;
  for (const auto& [num_ranks, until] :
       std::vector<std::pair<std::size_t, std::size_t>>{{3, 4}, {2, 7}, {1, 10}}) {
    class StopAt : public Quiet {
     public:
      StopAt(std::size_t step, std::atomic<bool>& stop) : step_(step), stop_(stop) {}
      void on_step(const SftStep& step, std::size_t total) override {
        Quiet::on_step(step, total);
        if (step.step >= step_) stop_ = true;
      }

     private:
      std::size_t step_;
      std::atomic<bool>& stop_;
    };
    run_thread_ranks(num_ranks, [&, number = num_ranks, end = until](Ranks& ranks) {
      ThreadPool pool(1);
      LearnerOptions learner_options;
      learner_options.precision = Precision::kF32;
      const auto learner = Learner::load(*model_.files, learner_options, pool).value();
      SftTrainer trainer(*learner, both(), options_, pool, ranks);
      std::vector<std::string> damaged;
      ASSERT_TRUE(trainer.restore(run, damaged).ok());
      const bool is_told = ranks.rank() + 1 == number;  // the last rank alone
      std::atomic<bool> stop = false;
      StopAt listener(is_told ? end : options_.schedule.num_steps + 1, stop);
      ASSERT_TRUE(trainer.run(run, listener, stop).ok());
      EXPECT_EQ(trainer.num_done(), end);
      if (ranks.is_first()) steps.insert(steps.end(), listener.steps.begin(), listener.steps.end());
      if (number == 1) {
        EXPECT_LT(furthest(weights_of(*learner), whole.weights), 1e-3);
      }
    });
  }
  Trained parts;
  parts.steps = steps;
  expect_same_way(parts, whole);
}

TEST_F(SftRanks, FailTogetherWhereANumberOfOneIsNone) {
  options_.validate_every = 0;
  const auto harm = [](Ranks& ranks, Learner& learner) {
    if (ranks.rank() != 1) return;
    learner.parameters()[1].values[0] = std::numeric_limits<float>::quiet_NaN();
    learner.update();
  };
  for (const Trained& rank : train(2, folder("run"), both(), harm)) {
    ASSERT_FALSE(rank.status.ok());
    EXPECT_THAT(rank.status.error().to_string(), HasSubstr("step 1: the log-probability of"));
    EXPECT_THAT(rank.status.error().to_string(), HasSubstr("(on rank 1 of 2)"));
  }
}

TEST_F(SftRanks, FailTogetherWhereTheFirstCannotWrite) {
  const RunFolder run = folder("run");
  fs::remove_all(run.path() / "checkpoints");
  model_.folder.write("run/checkpoints", "a file where a folder should be");
  for (const Trained& rank : train(2, run, both())) {
    ASSERT_FALSE(rank.status.ok());
    EXPECT_THAT(rank.status.error().to_string(), HasSubstr("checkpoints"));
    EXPECT_THAT(rank.status.error().to_string(), HasSubstr("(on rank 0 of 2)"));
  }
}

TEST_F(SftRanks, WeightsThatDifferAreNotKept) {
  const auto harm = [](Ranks& ranks, Learner& learner) {
    if (ranks.rank() == 1) learner.parameters()[1].values[0] += 1e-6f;
  };
  const RunFolder run = folder("run");
  for (const Trained& rank : train(2, run, both(), harm)) {
    ASSERT_FALSE(rank.status.ok());
    EXPECT_THAT(rank.status.error().to_string(), HasSubstr("expected the same weights on all"));
  }
  EXPECT_FALSE(run.newest_checkpoint().ok());
}

}  // namespace
}  // namespace rr
