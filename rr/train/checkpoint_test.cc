#include "rr/train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "rr/base/atomic_file.h"
#include "rr/base/file.h"
#include "rr/train/internal/tiny_test_model.h"

namespace rr {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// Two tensors that learn, with their optimiser.
struct State {
  explicit State(float start, std::size_t size = 6) : w(size, start), gradient(size, 0.5f) {}
  std::vector<float> w;
  std::vector<float> gradient;
  std::vector<float> b = {1.0f};
  std::vector<float> b_gradient = {2.0f};
  std::vector<Parameter> parameters = {{"w", {2, w.size() / 2}, w, gradient},
                                       {"b", {1}, b, b_gradient}};
  AdamW optimiser{parameters, {}};
};

class RunFolderTest : public ::testing::Test {
 protected:
  RunFolder create() { return RunFolder::create(path(), {{"seed", 7}}).value(); }
  fs::path path() const { return folder_ / "run"; }
  fs::path checkpoint(const std::string& step) const {
    return path() / "checkpoints" / ("step-" + step + ".safetensors");
  }
  Status save(State& state, const RunFolder& run, std::size_t step, std::size_t best = 0) {
    CheckpointState at{.step = step, .best_validation_loss = {}, .best_step = best};
    if (best > 0) at.best_validation_loss = 0.1 + 0.2;
    return run.save(state.parameters, state.optimiser, at, 2);
  }

  TestFolder folder_;
  ThreadPool pool_{1};
};

TEST_F(RunFolderTest, RestoresWhatItSavedToTheBit) {
  const RunFolder run = create();
  State state(0.1f);
  state.optimiser.step(0.01, 1, pool_);
  ASSERT_TRUE(save(state, run, 1, 1).ok());
  State other(9.0f);
  std::vector<std::string> damaged;
  const auto restored =
      RunFolder::open(path()).value().restore(other.parameters, other.optimiser, damaged);
  ASSERT_TRUE(restored.ok()) << restored.error().to_string();
  EXPECT_EQ(restored.value().step, 1u);
  EXPECT_EQ(restored.value().best_validation_loss, 0.1 + 0.2);
  EXPECT_EQ(other.w, state.w);
  EXPECT_EQ(other.b, state.b);
  EXPECT_EQ(other.optimiser.num_steps(), 1u);
  state.optimiser.step(0.01, 1, pool_);
  other.optimiser.step(0.01, 1, pool_);
  EXPECT_EQ(other.w, state.w);
}

TEST_F(RunFolderTest, KeepsTheLastTwoAndTheBest) {
  const RunFolder run = create();
  State state(0.1f);
  for (std::size_t step = 1; step <= 5; ++step) ASSERT_TRUE(save(state, run, step, 2).ok());
  EXPECT_FALSE(fs::exists(checkpoint("000001")));
  EXPECT_TRUE(fs::exists(checkpoint("000002")));
  EXPECT_FALSE(fs::exists(checkpoint("000003")));
  EXPECT_TRUE(fs::exists(checkpoint("000004")));
  EXPECT_TRUE(fs::exists(checkpoint("000005")));
  EXPECT_EQ(run.newest_checkpoint().value(), checkpoint("000005"));
  EXPECT_EQ(run.best_checkpoint().value(), checkpoint("000002"));
}

TEST_F(RunFolderTest, PassesOverADamagedCheckpointAndSaysSo) {
  const RunFolder run = create();
  State state(0.1f);
  ASSERT_TRUE(save(state, run, 1).ok());
  ASSERT_TRUE(save(state, run, 2).ok());
  {
    std::fstream file(checkpoint("000002"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-3, std::ios::end);
    file.put('x');
  }
  std::vector<std::string> damaged;
  const auto restored = run.restore(state.parameters, state.optimiser, damaged);
  EXPECT_EQ(restored.value().step, 1u);
  ASSERT_EQ(damaged.size(), 1u);
  EXPECT_THAT(damaged[0], HasSubstr("the checksum does not fit"));
}

TEST_F(RunFolderTest, RefusesACheckpointOfAnotherModel) {
  const RunFolder run = create();
  State state(0.1f);
  ASSERT_TRUE(save(state, run, 1).ok());
  State larger(0.1f, 8);
  std::vector<std::string> damaged;
  EXPECT_THAT(run.restore(larger.parameters, larger.optimiser, damaged).error().to_string(),
              HasSubstr("the checkpoint is of another model"));
}

TEST_F(RunFolderTest, IsNotMadeTwiceNorOpenedWhereThereIsNone) {
  EXPECT_THAT(RunFolder::open(path()).error().to_string(),
              HasSubstr("expected the folder of a run"));
  create();
  EXPECT_THAT(RunFolder::create(path(), {}).error().to_string(), HasSubstr("--resume"));
  EXPECT_EQ(RunFolder::open(path()).value().run().at("seed"), 7);
  ASSERT_TRUE(write_file(path() / "run.json", "[1]").ok());
  EXPECT_THAT(RunFolder::open(path()).error().to_string(), HasSubstr("expected a JSON object"));
}

TEST_F(RunFolderTest, OneProcessTrainsIt) {
  {
    const RunFolder run = create();
    EXPECT_THAT(RunFolder::open_to_train(path()).error().to_string(),
                HasSubstr("another process is training this run"));
    EXPECT_TRUE(RunFolder::open(path()).ok());
  }
  EXPECT_EQ(RunFolder::open_to_train(path()).value().run().at("seed"), 7);
}

TEST_F(RunFolderTest, CutsMetricsBackToTheCheckpoint) {
  const RunFolder run = create();
  for (const std::size_t step : std::vector<std::size_t>{1, 2, 3}) {
    ASSERT_TRUE(run.append_metrics({{"step", step}}).ok());
  }
  std::ofstream(path() / "metrics.jsonl", std::ios::app) << "{\"step\": 4, \"lo";  // killed here
  ASSERT_TRUE(run.keep_metrics_before(3).ok());
  EXPECT_EQ(read_file(path() / "metrics.jsonl").value(), "{\"step\":1}\n{\"step\":2}\n");
}

}  // namespace
}  // namespace rr
