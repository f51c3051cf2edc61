#include "rr/train/sft.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <limits>
#include <thread>

#include "rr/base/file.h"
#include "rr/train/internal/tiny_test_model.h"

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

// A run in this process: everything that a command would build.
class SftRun {
 public:
  SftRun(const internal::TinyModel& model, std::optional<LoraShape> lora, const SftOptions& options,
         const SftData& data, std::size_t num_threads = 1)
      : pool_(num_threads) {
    LearnerOptions learner_options;
    learner_options.precision = Precision::kF32;
    learner_options.lora = lora;
    learner = Learner::load(*model.files, learner_options, pool_).value();
    trainer = std::make_unique<SftTrainer>(
        *learner, SftSources{.examples = &data, .validation = &data}, options, pool_, alone_);
  }

  std::vector<std::vector<float>> weights() const {
    std::vector<std::vector<float>> result;
    for (const Parameter& parameter : learner->parameters()) {
      result.emplace_back(parameter.values.begin(), parameter.values.end());
    }
    return result;
  }

 private:
  ThreadPool pool_;
  SingleRank alone_;

 public:
  std::unique_ptr<Learner> learner;
  std::unique_ptr<SftTrainer> trainer;
};

class Sft : public ::testing::Test {
 protected:
  Sft() {
    std::string lines;
    for (const char* const word : {"one", "two", "three", "four", "five", "six", "seven"}) {
      lines += std::string(R"({"prompt": "say )") + word + R"(", "completion": ")" + word + "\"}\n";
    }
    data_ = read_sft_data(model_.folder.write("sft.jsonl", lines), model_.tokens(), {}).value();
    options_.schedule = {Decay::kLinear, 0.01, 2, 12};
    options_.order.examples_per_step = 3;
    options_.order.row_tokens = 100;
    options_.save_every = 1;
    options_.validate_every = 4;
  }
  RunFolder folder(const std::string& name) {
    return RunFolder::create(model_.folder / name, Json::object()).value();
  }

  internal::TinyModel model_;
  SftData data_;
  SftOptions options_;
};

TEST_F(Sft, LearnsItsExamplesByHeart) {
  options_.schedule = {Decay::kConstant, 0.01, 0, 60};
  options_.save_every = 1000;
  for (const std::optional<LoraShape> lora : {std::optional<LoraShape>(), {LoraShape{8, 16}}}) {
    SftRun run(model_, lora, options_, data_);
    Quiet listener;
    ASSERT_TRUE(run.trainer->run(folder(lora ? "lora" : "full"), listener, kNeverStop).ok());
    EXPECT_EQ(listener.steps.size(), 60u);
    EXPECT_GT(listener.steps.front().loss, 4);
    const double most = lora ? listener.steps.front().loss / 2 : 1;  // frozen noise is in the way
    EXPECT_LT(listener.steps.back().loss, most);
    EXPECT_LT(*listener.steps.back().validation.loss, most);
  }
}

TEST_F(Sft, TheLossIsTheMeanOverTokensHoweverRowsAreFilled) {
  std::vector<double> losses;
  for (const std::size_t row_tokens : std::vector<std::size_t>{1, 50, 10000}) {
    options_.order.row_tokens = row_tokens;
    SftRun run(model_, {}, options_, data_);
    const auto step = run.trainer->step(kNeverStop).value();
    losses.push_back(step->loss);
    EXPECT_EQ(step->rate, 0.005);
  }
  EXPECT_NEAR(losses[0], losses[1], 1e-6);
  EXPECT_NEAR(losses[0], losses[2], 1e-6);
}

TEST_F(Sft, ARunThatWasStoppedGoesOnAsIfItHadNotBeen) {
  SftRun whole(model_, {}, options_, data_, 2);
  Quiet all;
  ASSERT_TRUE(whole.trainer->run(folder("whole"), all, kNeverStop).ok());

  const RunFolder parts = folder("parts");
  std::vector<std::string> damaged;
  for (const std::size_t until : std::vector<std::size_t>{1, 5, 12}) {
    SftRun run(model_, {}, options_, data_);
    ASSERT_TRUE(run.trainer->restore(parts, damaged).ok());
    class StopAt : public Quiet {
     public:
      StopAt(std::size_t step, std::atomic<bool>& stop) : step_(step), stop_(stop) {}
      void on_step(const SftStep& step, std::size_t) override { stop_ = step.step >= step_; }

     private:
      std::size_t step_;
      std::atomic<bool>& stop_;
    };
    std::atomic<bool> stop = false;
    StopAt listener(until, stop);
    ASSERT_TRUE(run.trainer->run(parts, listener, stop).ok());
    EXPECT_EQ(run.trainer->num_done(), until);
    if (until == 12) {
      EXPECT_EQ(run.weights(), whole.weights());
    }
  }
  EXPECT_TRUE(damaged.empty());
}

// A child process trains and is killed at a moment that nobody chose, again and again.
TEST_F(Sft, KilledAtAnyMomentItGoesOnToTheSameWeights) {
  options_.schedule.num_steps = 40;
  SftRun whole(model_, {}, options_, data_);
  Quiet all;
  ASSERT_TRUE(whole.trainer->run(folder("whole"), all, kNeverStop).ok());

  folder("killed");
  const fs::path path = model_.folder / "killed";
  RandomStream random(3, 3);
  std::size_t kills = 0;
  for (bool finished = false; !finished;) {
    const pid_t child = ::fork();
    if (child == 0) {
      SftRun run(model_, {}, options_, data_);
      Quiet listener;
      std::vector<std::string> damaged;
      const RunFolder run_folder = RunFolder::open(path).value();
      const bool ok = run.trainer->restore(run_folder, damaged).ok() && damaged.empty() &&
                      run.trainer->run(run_folder, listener, kNeverStop).ok();
      ::_exit(ok ? 0 : 1);
    }
    const auto wait = std::chrono::microseconds(
        static_cast<std::int64_t>(random.uniform() * 60000 * (kills < 50 ? 1 : 1000)));
    std::this_thread::sleep_for(wait);
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    finished = WIFEXITED(status);
    if (finished) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
    } else {
      ++kills;
    }
    ASSERT_LT(kills, 200u);
  }
  SftRun last(model_, {}, options_, data_);
  std::vector<std::string> damaged;
  ASSERT_TRUE(last.trainer->restore(RunFolder::open(path).value(), damaged).ok());
  EXPECT_EQ(last.trainer->num_done(), 40u);
  EXPECT_EQ(last.weights(), whole.weights());
  const auto lines = read_file(path / "metrics.jsonl").value();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 41);  // one look before the first step
  RecordProperty("kills", static_cast<int>(kills));
}

TEST_F(Sft, StopsWithTheStepAndTheExampleWhereANumberIsNone) {
  SftRun run(model_, {}, options_, data_);
  const Parameter& norm = run.learner->parameters()[1];
  norm.values[0] = std::numeric_limits<float>::quiet_NaN();
  run.learner->update();
  const auto step = run.trainer->step(kNeverStop);
  EXPECT_THAT(step.error().to_string(), HasSubstr("step 1: the log-probability of token"));
  EXPECT_THAT(step.error().to_string(), HasSubstr("example of line"));
}

TEST_F(Sft, AStepThatIsStoppedChangesNothing) {
  SftRun run(model_, {}, options_, data_);
  const auto before = run.weights();
  const std::atomic<bool> stop = true;
  EXPECT_FALSE(run.trainer->step(stop).value().has_value());
  EXPECT_EQ(run.weights(), before);
  EXPECT_EQ(run.trainer->num_done(), 0u);
}

}  // namespace
}  // namespace rr
