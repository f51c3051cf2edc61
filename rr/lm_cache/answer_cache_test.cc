#include "rr/lm_cache/answer_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/lm_cache/internal/completion_json.h"
#include "tests/test_folder.h"

namespace rr {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

Completion answer_of(const std::string& text) {
  Completion completion;
  completion.text = text;
  completion.prompt_tokens = 7;
  StageReport stage;
  stage.num_tokens = 3;
  completion.stages = {stage};
  return completion;
}

class AnswerCacheFile : public ::testing::Test {
 protected:
  AnswerCache open() const {
    auto cache = AnswerCache::open(path_);
    EXPECT_TRUE(cache.ok()) << cache.error().to_string();
    return std::move(cache).value();
  }

  // `count` answers of a kilobyte and more, so that they take many pages.
  void fill(int count) const {
    AnswerCache cache = open();
    for (int i = 0; i < count; ++i) {
      const std::string key = "key" + std::to_string(i);
      ASSERT_TRUE(
          cache.store(key, "m", "", answer_of(key + std::string(2000, 'x')), {7, 3, false}).ok());
    }
  }

  std::size_t count_found(AnswerCache& cache, int count) const {
    std::size_t found = 0;
    for (int i = 0; i < count; ++i) {
      const std::string key = "key" + std::to_string(i);
      const auto answer = cache.find(key);
      if (!answer.ok() || !answer.value()) continue;
      EXPECT_EQ(answer.value()->text, key + std::string(2000, 'x'));
      ++found;
    }
    return found;
  }

  void overwrite(std::streamoff at, const std::string& bytes) const {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(at);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  TestFolder folder_;
  fs::path path_ = folder_ / "answers.sqlite";
};

TEST(CompletionJson, GivesBackAllButTheTimeInTheQueue) {
  Completion completion = answer_of("über\n[2] > [1]");
  completion.ids = {5, 6};
  completion.token_logprobs = {-0.5F, std::numeric_limits<float>::quiet_NaN()};
  completion.stop = StopReason::kLength;
  completion.stages[0].num_forced = 1;
  completion.stages[0].stop = StopReason::kStop;
  completion.stages[0].choices = {{2, -0.25}, {1, 0}};
  completion.queued_s = 1;
  completion.prefill_s = 0.1;
  completion.decode_s = 3;
  const auto read = internal::completion_from_json(internal::completion_to_json(completion));
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(read.value().text, completion.text);
  EXPECT_EQ(read.value().ids, completion.ids);
  EXPECT_EQ(read.value().token_logprobs[0], -0.5F);
  EXPECT_TRUE(std::isnan(read.value().token_logprobs[1]));
  EXPECT_EQ(read.value().stop, StopReason::kLength);
  EXPECT_EQ(read.value().prompt_tokens, 7U);
  ASSERT_EQ(read.value().stages.size(), 1U);
  EXPECT_EQ(read.value().stages[0].num_tokens, 3U);
  EXPECT_EQ(read.value().stages[0].num_forced, 1U);
  EXPECT_EQ(read.value().stages[0].stop, StopReason::kStop);
  ASSERT_EQ(read.value().stages[0].choices.size(), 2U);
  EXPECT_EQ(read.value().stages[0].choices[0].identifier, 2U);
  EXPECT_EQ(read.value().stages[0].choices[0].logprob, -0.25);
  EXPECT_EQ(read.value().queued_s, 0);
  EXPECT_EQ(read.value().prefill_s, 0.1);
  EXPECT_EQ(read.value().decode_s, 3);
}

TEST(CompletionJson, ReadsAnswersOfBeforeTimesWereKept) {
  Json json = parse_json(internal::completion_to_json(answer_of("old")), "answer").value();
  json.erase("seconds");
  const auto read = internal::completion_from_json(to_json_line(json));
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(read.value().text, "old");
  EXPECT_EQ(read.value().prefill_s, 0);
}

TEST_F(AnswerCacheFile, KeepsAnswersAndWhatTheyTook) {
  {
    AnswerCache cache = open();
    EXPECT_FALSE(cache.find("a").value());
    ASSERT_TRUE(cache.store("a", "big", "1/0", answer_of("first"), {100, 10, false}).ok());
    ASSERT_TRUE(cache.store("b", "big", "1/1", answer_of("second"), {200, 20, true}).ok());
    ASSERT_TRUE(cache.store("c", "all", "", answer_of("third"), {1, 1, false}).ok());
  }
  AnswerCache cache = open();
  EXPECT_TRUE(cache.note().empty());
  EXPECT_EQ(cache.find("a").value()->text, "first");
  const auto spending = cache.spending().value();
  ASSERT_EQ(spending.size(), 2U);
  EXPECT_EQ(spending[0].model, "all");
  EXPECT_EQ(spending[1].model, "big");
  EXPECT_EQ(spending[1].answers, 2U);
  EXPECT_EQ(spending[1].prompt_tokens, 300U);
  EXPECT_EQ(spending[1].completion_tokens, 30U);
  EXPECT_EQ(spending[1].estimated, 1U);
}

TEST_F(AnswerCacheFile, KeepsTheFirstAnswerOfAKeyAndCountsBoth) {
  AnswerCache cache = open();
  ASSERT_TRUE(cache.store("a", "m", "", answer_of("first"), {1, 1, false}).ok());
  ASSERT_TRUE(cache.store("a", "m", "", answer_of("second"), {1, 1, false}).ok());
  EXPECT_EQ(cache.find("a").value()->text, "first");
  EXPECT_EQ(cache.spending().value()[0].answers, 2U);
}

TEST_F(AnswerCacheFile, IsSharedByProcessesThatWriteAtOnce) {
  constexpr int kProcesses = 4;
  constexpr int kEach = 50;
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto cache = AnswerCache::open(path_);
      bool stored = cache.ok();
      for (int i = 0; stored && i < kEach; ++i) {
        const std::string key = std::to_string(process) + "/" + std::to_string(i);
        stored = cache.value().store(key, "m", "", answer_of(key), {1, 1, false}).ok();
      }
      ::_exit(stored ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  AnswerCache cache = open();
  EXPECT_EQ(cache.spending().value()[0].answers, static_cast<std::size_t>(kProcesses * kEach));
  for (int process = 0; process < kProcesses; ++process) {
    const std::string key = std::to_string(process) + "/49";
    EXPECT_EQ(cache.find(key).value()->text, key);
  }
}

TEST_F(AnswerCacheFile, LosesNothingThatWasStoredWhenItsProcessIsKilled) {
  int pipes[2];
  ASSERT_EQ(::pipe(pipes), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto cache = AnswerCache::open(path_);
    for (int i = 0; i < 100000; ++i) {
      const std::string key = "key" + std::to_string(i);
      if (!cache.value().store(key, "m", "", answer_of(key), {1, 1, false}).ok()) ::_exit(1);
      if (::write(pipes[1], "+", 1) != 1) ::_exit(1);
    }
    ::_exit(1);
  }
  ::close(pipes[1]);
  char mark = 0;
  int stored = 0;
  while (stored < 60 && ::read(pipes[0], &mark, 1) == 1) ++stored;
  ::kill(child, SIGKILL);
  while (::read(pipes[0], &mark, 1) == 1) ++stored;  // said before the end
  ::close(pipes[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  AnswerCache cache = open();
  EXPECT_TRUE(cache.note().empty()) << cache.note();
  for (int i = 0; i < stored; ++i) {
    EXPECT_TRUE(cache.find("key" + std::to_string(i)).value()) << i << " of " << stored;
  }
}

TEST_F(AnswerCacheFile, IsSetAsideWhereItIsNoDatabaseAnyMore) {
  fill(20);
  fs::remove(path_.string() + "-wal");
  overwrite(0, std::string(4096, '\xFF'));
  AnswerCache cache = open();
  EXPECT_THAT(cache.note(), HasSubstr("was damaged; it is now " + path_.string() + ".damaged-1"));
  EXPECT_TRUE(fs::exists(path_.string() + ".damaged-1"));
  EXPECT_EQ(count_found(cache, 20), 0U);
  EXPECT_TRUE(cache.store("new", "m", "", answer_of("x"), {1, 1, false}).ok());
  EXPECT_TRUE(open().note().empty());
}

TEST_F(AnswerCacheFile, TakesOverWhatCanBeReadOfADamagedOne) {
  constexpr int kAnswers = 200;
  fill(kAnswers);
  const auto size = static_cast<std::streamoff>(fs::file_size(path_));
  ASSERT_GT(size, 200000);
  overwrite(size / 2, std::string(3 * 4096, '\xAA'));
  AnswerCache cache = open();
  ASSERT_THAT(cache.note(), HasSubstr("was damaged"));
  const std::size_t found = count_found(cache, kAnswers);
  EXPECT_GT(found, kAnswers / 2U);
  EXPECT_LT(found, static_cast<std::size_t>(kAnswers));
  EXPECT_EQ(cache.spending().value()[0].answers, found);
  EXPECT_THAT(cache.note(), HasSubstr(" and " + std::to_string(found) + " of its answers"));
}

TEST_F(AnswerCacheFile, DoesNotGiveAnAnswerWhoseChecksumFailsAndTakesTheNextOne) {
  fill(1);
  const std::string bytes = read_file(path_).value();
  const std::size_t at = bytes.find("xxxx");  // inside the text: no page of SQLite's is broken
  ASSERT_NE(at, std::string::npos);
  overwrite(static_cast<std::streamoff>(at), "yyyy");
  AnswerCache cache = open();
  EXPECT_TRUE(cache.note().empty());
  EXPECT_FALSE(cache.find("key0").value());
  ASSERT_TRUE(cache.store("key0", "m", "", answer_of("again"), {7, 3, false}).ok());
  EXPECT_EQ(cache.find("key0").value()->text, "again");
}

TEST_F(AnswerCacheFile, RefusesASqliteFileThatIsSomethingElse) {
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  sqlite3_exec(other, "CREATE TABLE mine (a)", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  const auto cache = AnswerCache::open(path_);
  ASSERT_FALSE(cache.ok());
  EXPECT_THAT(cache.error().to_string(), HasSubstr("found another SQLite file"));
  EXPECT_FALSE(fs::exists(path_.string() + ".damaged-1"));
}

TEST_F(AnswerCacheFile, RefusesAFileOfALaterVersion) {
  fill(1);
  sqlite3* file = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &file), SQLITE_OK);
  sqlite3_exec(file, "PRAGMA user_version = 2", nullptr, nullptr, nullptr);
  sqlite3_close(file);
  const auto cache = AnswerCache::open(path_);
  ASSERT_FALSE(cache.ok());
  EXPECT_THAT(cache.error().to_string(), HasSubstr("found version 2"));
}

TEST_F(AnswerCacheFile, CanBeLookedAtOnlyWhereItIs) {
  EXPECT_FALSE(AnswerCache::open_existing(path_).ok());
  EXPECT_FALSE(fs::exists(path_));
  fill(3);
  auto cache = AnswerCache::open_existing(path_);
  ASSERT_TRUE(cache.ok()) << cache.error().to_string();
  EXPECT_EQ(cache.value().spending().value()[0].answers, 3U);
}

}  // namespace
}  // namespace rr
