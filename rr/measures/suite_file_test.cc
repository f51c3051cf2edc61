#include "rr/measures/suite_file.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "tests/test_folder.h"

namespace rr {
namespace {

class SuiteFile : public ::testing::Test {
 protected:
  Result<Suite> suite_of(const std::string& text) const {
    return read_suite(folder_.write("suite.toml", text));
  }

  // What is said of a bad suite, after the folder's name.
  std::string refusal_of(const std::string& text) const {
    const Result<Suite> suite = suite_of(text);
    if (suite.ok()) return "";
    return suite.error().to_string().substr(folder_.path().string().size() + 1);
  }

  TestFolder folder_;
};

constexpr const char* kSmall = R"(datasets = ["a", "b"]
qrels = "qrels/{dataset}.txt"
[systems]
one = "one/{dataset}.trec"
)";

TEST_F(SuiteFile, PutsTheDataSetIntoPathsThatCountFromItsFolder) {
  const Suite suite = suite_of(kSmall).value();
  ASSERT_EQ(suite.datasets.size(), 2u);
  EXPECT_EQ(suite.datasets[1].name, "b");
  EXPECT_EQ(suite.datasets[1].qrels, folder_ / "qrels/b.txt");
  EXPECT_FALSE(suite.datasets[1].exclude_own);
  ASSERT_EQ(suite.systems.size(), 1u);
  EXPECT_EQ(suite.systems[0].runs.at(0), folder_ / "one/a.trec");
  EXPECT_TRUE(suite.measures.empty());
  EXPECT_FALSE(suite.all_topics);
}

TEST_F(SuiteFile, OneDataSetMayDifferFromTheOthers) {
  const Suite suite = suite_of(R"(
datasets = ["b", "a"]
qrels = "/q/{dataset}"
measures = ["nDCG@10", "R@100"]
all_topics = true
[systems]
zeta = "z/{dataset}/{dataset}.txt"
alpha = {run = "alpha.txt", datasets = ["a"]}
[dataset.a]
qrels = "other"
exclude_own = true
systems.zeta = "elsewhere.gz"
)")
                          .value();
  EXPECT_EQ(suite.datasets[0].name, "b");
  EXPECT_EQ(suite.datasets[0].qrels, "/q/b");
  EXPECT_FALSE(suite.datasets[0].exclude_own);
  EXPECT_EQ(suite.datasets[1].qrels, folder_ / "other");
  EXPECT_TRUE(suite.datasets[1].exclude_own);
  EXPECT_TRUE(suite.all_topics);
  EXPECT_EQ(name_of(suite.measures.at(1)), "R@100");
  ASSERT_EQ(suite.systems.size(), 2u);  // in the order of the file
  EXPECT_EQ(suite.systems[0].name, "zeta");
  EXPECT_EQ(suite.systems[0].runs.at(0), folder_ / "z/b/b.txt");
  EXPECT_EQ(suite.systems[0].runs.at(1), folder_ / "elsewhere.gz");
  EXPECT_EQ(suite.systems[1].runs.at(0), std::nullopt);
  EXPECT_EQ(suite.systems[1].runs.at(1), folder_ / "alpha.txt");
}

TEST_F(SuiteFile, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(refusal_of("datasets = [\"a\""),
            "suite.toml:1: expected TOML: Error while parsing array: encountered end-of-file");
  EXPECT_EQ(refusal_of("qrels = \"q\"\n"), "suite.toml: expected a list \"datasets\", found none");
  EXPECT_EQ(refusal_of("datasets = []\n"),
            "suite.toml:1: expected at least one data set, found none");
  EXPECT_EQ(refusal_of("datasets = [\"a\", \"a\"]\n"),
            "suite.toml:1: expected each data set once, found \"a\" again");
  EXPECT_EQ(refusal_of("datasets = [\"a\", 7]\n"),
            "suite.toml:1: expected strings in \"datasets\", found something else");
  EXPECT_EQ(refusal_of("\ndatasets = \"a\"\n"),
            "suite.toml:2: expected \"datasets\" to be a list of strings");
  EXPECT_EQ(refusal_of("datasets = [\"a\"]\nqrel = \"x\"\n"),
            "suite.toml:2: expected one of datasets, qrels, systems, dataset, measures, "
            "all_topics, exclude_own, found \"qrel\"");
  EXPECT_EQ(refusal_of("datasets = [\"a\"]\nqrels = \"q\"\n"),
            "suite.toml: expected a table [systems] with NAME = \"run of each {dataset}\", found "
            "none");
  EXPECT_EQ(refusal_of("datasets = [\"a\"]\n[systems]\nx = \"r\"\n"),
            "suite.toml: expected \"qrels\" for the data set \"a\"");
  EXPECT_EQ(refusal_of("datasets = [\"a\"]\nqrels = \"q\"\n[systems]\nx = 3\n"),
            "suite.toml:4: expected the system \"x\" to be a path or {run, datasets}");
  EXPECT_EQ(refusal_of(std::string(kSmall) + "[dataset.c]\nqrels = \"q\"\n"),
            "suite.toml:5: expected a data set of the list \"datasets\", found \"c\"");
  EXPECT_EQ(refusal_of(std::string(kSmall) + "[dataset.a]\nsystems.two = \"q\"\n"),
            "suite.toml:6: expected a system of [systems], found \"two\"");
  EXPECT_EQ(refusal_of("all_topics = 1\n"),
            "suite.toml:1: expected \"all_topics\" to be true or "
            "false");
  EXPECT_TRUE(refusal_of("measures = [\"nDGC@10\"]\n")
                  .starts_with("suite.toml:1: \"nDGC@10\" is no measure"));
}

TEST(MeanOverDatasets, CountsEachDataSetTheSame) {
  EXPECT_DOUBLE_EQ(mean_over_datasets(std::array<std::optional<double>, 2>{0.25, 0.75}).value(),
                   0.5);
  EXPECT_EQ(mean_over_datasets(std::array<std::optional<double>, 2>{0.25, std::nullopt}),
            std::nullopt);
}

}  // namespace
}  // namespace rr
