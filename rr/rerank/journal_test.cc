#include "rr/rerank/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "rr/base/file.h"
#include "tests/test_folder.h"

namespace rr {
namespace {

using ::testing::HasSubstr;

class JournalTest : public ::testing::Test {
 protected:
  Result<RunJournal> open(const Json& settings = {{"window", 20}}, bool restart = false) {
    return RunJournal::open(path_, settings, restart);
  }
  void append_raw(const std::string& bytes) { std::ofstream(path_, std::ios::app) << bytes; }

  TestFolder folder_;
  std::filesystem::path path_ = folder_ / "out.partial";
};

TEST_F(JournalTest, GivesBackWhatAnEarlierRunFinished) {
  {
    auto journal = open();
    ASSERT_TRUE(journal.ok());
    EXPECT_EQ(journal->size(), 0u);
    ASSERT_TRUE(journal->append(Qid("1"), R"({"qid":"1","x":1})").ok());
    ASSERT_TRUE(journal->append(Qid("2"), R"({"qid":"2","x":2})").ok());
  }
  auto journal = open();
  ASSERT_TRUE(journal.ok()) << journal.error().to_string();
  EXPECT_EQ(journal->size(), 2u);
  EXPECT_FALSE(journal->has(Qid("3")));
  EXPECT_EQ(journal->read(Qid("2")).value(), R"({"qid":"2","x":2})");
  EXPECT_EQ(journal->read(Qid("1")).value(), R"({"qid":"1","x":1})");
  journal->remove();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(JournalTest, DropsALineThatWasCutOffAndGoesOnBehindTheWholeOnes) {
  ASSERT_TRUE(open()->append(Qid("1"), R"({"qid":"1"})").ok());
  append_raw(R"({"qid":"2","windows":[{"resp)");
  ASSERT_TRUE(open()->append(Qid("3"), R"({"qid":"3"})").ok());
  auto journal = open();
  ASSERT_TRUE(journal.ok()) << journal.error().to_string();
  EXPECT_EQ(journal->size(), 2u);
  EXPECT_EQ(journal->read(Qid("3")).value(), R"({"qid":"3"})");
}

TEST_F(JournalTest, StartsAnewWhereNotEvenTheFirstLineIsWhole) {
  append_raw("{\"reasonrank_pa");
  auto journal = open();
  ASSERT_TRUE(journal.ok());
  EXPECT_EQ(journal->size(), 0u);
}

TEST_F(JournalTest, RefusesARunWithOtherSettingsAndNamesTheFirst) {
  ASSERT_TRUE(open()->append(Qid("1"), R"({"qid":"1"})").ok());
  const auto other = open({{"window", 10}});
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(other.error().to_string(), HasSubstr("window (20, now 10)"));
  EXPECT_THAT(other.error().to_string(), HasSubstr("--restart"));
  EXPECT_EQ(open()->size(), 1u);
  EXPECT_EQ(open({{"window", 10}}, true)->size(), 0u);
}

TEST_F(JournalTest, TakesOtherSettingsWhereNoTopicIsFinished) {
  append_raw("{\"reasonrank_partial\":1,\"settings\":{\"window\":20}}\n");
  ASSERT_TRUE(open({{"window", 10}})->append(Qid("1"), R"({"qid":"1"})").ok());
  EXPECT_FALSE(open().ok());
}

TEST_F(JournalTest, LeavesNoFileBehindWhereNoTopicIsFinished) {
  ASSERT_TRUE(open().ok());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(JournalTest, RefusesAFileThatIsNoJournalAndLeavesItAlone) {
  append_raw("my thesis\n");
  const auto journal = open();
  ASSERT_FALSE(journal.ok());
  EXPECT_THAT(journal.error().to_string(), HasSubstr("another file"));
  EXPECT_EQ(read_file(path_).value(), "my thesis\n");
}

TEST_F(JournalTest, BelongsToOneProcessAtATime) {
  const auto first = open();
  ASSERT_TRUE(first.ok());
  const auto second = open();
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().to_string(), HasSubstr("another reasonrank"));
}

TEST_F(JournalTest, SaysWhereItCannotBeWritten) {
  const auto journal = RunJournal::open("/nonexistent/out.partial", Json::object(), false);
  ASSERT_FALSE(journal.ok());
  EXPECT_THAT(journal.error().to_string(), HasSubstr("/nonexistent/out.partial"));
}

}  // namespace
}  // namespace rr
