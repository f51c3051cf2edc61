#include "rr/report/training_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "tests/test_folder.h"

namespace rr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ReadTrainingLog : public ::testing::Test {
 protected:
  Result<TrainingLog> read() const { return read_training_log(folder_, Json::object()); }
  std::string refusal() const {
    const auto log = read();
    return log.ok() ? "" : log.error().to_string();
  }

  TestFolder folder_;
};

TEST_F(ReadTrainingLog, TakesEveryNumberByItsKey) {
  folder_.write("metrics.jsonl", R"({"kind":"grpo","step":1,"reward":0.5,"own":7})"
                                 "\n"
                                 R"({"kind":"grpo","step":2,"reward":null,"validation_ndcg":0.25})"
                                 "\n");
  const auto log = read();
  ASSERT_TRUE(log.ok()) << log.error().to_string();
  ASSERT_EQ(log->metrics.size(), 3u);
  EXPECT_EQ(log->metrics[0].name, "reward");
  EXPECT_EQ(log->metrics[0].points[0].y, 0.5);
  EXPECT_TRUE(std::isnan(log->metrics[0].points[1].y));
  EXPECT_EQ(log->find("own")->points.front().x, 1);
  EXPECT_EQ(log->find("validation_ndcg")->points.front().x, 2);
  EXPECT_EQ(log->find("loss"), nullptr);
  EXPECT_FALSE(log->is_cut);
}

TEST_F(ReadTrainingLog, ARunUnderWayHasALastLineThatIsNotWhole) {
  folder_.write("metrics.jsonl", "{\"step\":1,\"loss\":2}\n{\"step\":2,\"lo");
  const auto log = read();
  ASSERT_TRUE(log.ok()) << log.error().to_string();
  EXPECT_TRUE(log->is_cut);
  EXPECT_EQ(log->find("loss")->points.size(), 1u);
}

TEST_F(ReadTrainingLog, ARunThatHasJustBegunHasNothing) {
  const auto log = read();
  ASSERT_TRUE(log.ok()) << log.error().to_string();
  EXPECT_TRUE(log->metrics.empty());
  EXPECT_TRUE(log->samples.empty());
}

TEST_F(ReadTrainingLog, SaysWhatIsWrongAndWhere) {
  folder_.write("metrics.jsonl", "{\"step\":1}\n{\"step\":2,\n{\"step\":3}\n");
  EXPECT_THAT(refusal(), HasSubstr("metrics.jsonl:2"));
  folder_.write("metrics.jsonl", "{\"step\":2}\n{\"step\":1}\n{\"step\":3}\n");
  EXPECT_THAT(refusal(), HasSubstr("metrics.jsonl:2: expected steps in ascending order, found 1"));
  folder_.write("metrics.jsonl", "{\"loss\":1}\n{\"step\":3}\n");
  EXPECT_THAT(refusal(), HasSubstr("metrics.jsonl:1: expected a \"step\""));
  folder_.write("metrics.jsonl", "[1]\n{\"step\":3}\n");
  EXPECT_THAT(refusal(), HasSubstr("expected a JSON object"));
  folder_.write("metrics.jsonl", "{\"step\":1,\"\":2}\n{\"step\":3}\n");
  EXPECT_THAT(refusal(), HasSubstr("metrics.jsonl:1: expected a name for each number"));
}

TEST_F(ReadTrainingLog, ShowsSamplesFromBeginningToEnd) {
  std::string lines;
  for (int step = 1; step <= 11; ++step) {
    for (int i = 0; i < 5; ++i) {
      lines += R"({"step":)" + std::to_string(step) + R"(,"qid":"q)" + std::to_string(i) +
               R"(","query":"?","reply":"r","reward":0.5,"ndcg":0.25,"rbo":null})"
               "\n";
    }
  }
  folder_.write("samples.jsonl", lines);
  const auto log = read();
  ASSERT_TRUE(log.ok()) << log.error().to_string();
  ASSERT_EQ(log->samples.size(), kSampleSteps * kSamplesOfStep);
  std::vector<std::size_t> steps;
  for (std::size_t i = 0; i < log->samples.size(); i += kSamplesOfStep) {
    steps.push_back(log->samples[i].step);
  }
  EXPECT_THAT(steps, ElementsAre(1, 3, 5, 7, 9, 11));
  EXPECT_EQ(log->samples[1].qid, "q1");
  const std::vector<std::pair<std::string, double>> scores = {{"reward", 0.5}, {"ndcg", 0.25}};
  EXPECT_EQ(log->samples[0].scores, scores);
}

}  // namespace
}  // namespace rr
