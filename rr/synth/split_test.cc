#include "rr/synth/split.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "rr/synth/export.h"
#include "rr/synth/text_fingerprint.h"

namespace rr {
namespace {

using ::testing::HasSubstr;

Sample sample_of(const std::string& dataset, std::size_t number) {
  Sample sample;
  sample.dataset = dataset;
  sample.qid = Qid(fmt::format("{}", number));
  sample.query = fmt::format("{} question {}", dataset, number);
  for (std::size_t i = 0; i < 3; ++i) {
    const Docid docid(fmt::format("d{}", i));
    sample.initial_list.push_back(docid);
    sample.passages.push_back({docid, "", fmt::format("text {} of {}", i, number)});
  }
  sample.final_list = {Docid("d2"), Docid("d0"), Docid("d1")};
  sample.relevant = {Docid("d2")};
  sample.reasoning = "because";
  sample.licence = "CC0";
  return sample;
}

std::vector<Sample> two_sets() {
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < 100; ++i) samples.push_back(sample_of("a", i));
  for (std::size_t i = 0; i < 41; ++i) samples.push_back(sample_of("b", i));
  return samples;
}

std::map<std::string, std::map<Part, std::size_t>> counts_of(const std::vector<Sample>& samples,
                                                             const std::vector<Part>& parts) {
  std::map<std::string, std::map<Part, std::size_t>> counts;
  for (std::size_t i = 0; i < samples.size(); ++i) ++counts[samples[i].dataset][parts[i]];
  return counts;
}

TEST(SplitSamples, EachDataSetIsDividedAlike) {
  const std::vector<Sample> samples = two_sets();
  auto counts = counts_of(samples, split_samples(samples, {.validation_share = 0.1}));
  EXPECT_EQ(counts["a"][Part::kValidation], 10u);
  EXPECT_EQ(counts["a"][Part::kSft], 45u);
  EXPECT_EQ(counts["a"][Part::kRanking], 45u);
  EXPECT_EQ(counts["b"][Part::kValidation], 4u);  // of 41
  EXPECT_EQ(counts["b"][Part::kSft], 19u);        // lround(18.5)
  EXPECT_EQ(counts["b"][Part::kRanking], 18u);
}

TEST(SplitSamples, DependsOnTheSeedAndNotOnTheOrder) {
  std::vector<Sample> samples = two_sets();
  const std::vector<Part> parts = split_samples(samples, {});
  EXPECT_EQ(split_samples(samples, {}), parts);
  EXPECT_NE(split_samples(samples, {.seed = 1}), parts);
  std::vector<Part> backwards = parts;
  std::reverse(backwards.begin(), backwards.end());
  std::reverse(samples.begin(), samples.end());
  EXPECT_EQ(split_samples(samples, {}), backwards);
}

TEST(SplitSamples, NoQueryIsInTwoParts) {
  std::vector<Sample> samples = two_sets();
  for (std::size_t i = 0; i < 60; ++i) {
    Sample twin = sample_of("c", 1000 + i);
    twin.query = i % 2 == 0 ? samples[i].query + "?" : samples[i].query;
    samples.push_back(twin);
  }
  samples[3].reasoning = "";
  const std::vector<Part> parts = split_samples(samples, {});
  std::map<std::string, std::set<Part>> by_words;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (parts[i] != Part::kLeftOut) by_words[words_of(samples[i].query)].insert(parts[i]);
  }
  for (const auto& [words, set] : by_words) EXPECT_EQ(set.size(), 1u) << words;
}

TEST(SplitSamples, EverySampleGoesWhereItCan) {
  std::vector<Sample> samples = two_sets();
  for (std::size_t i = 0; i < 20; ++i) samples[i].reasoning = "";  // no examples
  for (std::size_t i = 20; i < 40; ++i) samples[i].final_list.clear();
  for (std::size_t i = 40; i < 60; ++i) samples[i].passages[0].text = samples[i].passages[1].text;
  samples[60].reasoning = "";
  samples[60].relevant = samples[60].initial_list;  // neither
  const std::vector<Part> parts = split_samples(samples, {});
  for (std::size_t i = 0; i < 40; ++i) EXPECT_NE(parts[i], Part::kSft);
  for (std::size_t i = 40; i < 60; ++i) EXPECT_EQ(parts[i], Part::kSft);
  EXPECT_EQ(parts[60], Part::kLeftOut);
  const std::vector<Part> noisy = split_samples(samples, {.keep_noisy = true});
  EXPECT_NE(std::count(noisy.begin() + 40, noisy.begin() + 60, Part::kRanking), 0);
}

TEST(TaskOf, HasTheLabelsAsGrades) {
  const RankingTask task = task_of(sample_of("a", 1));
  EXPECT_EQ(task.grades.at(Docid("d2")), 1);
  EXPECT_EQ(task.grades.at(Docid("d0")), 0);
  EXPECT_EQ(task.passages.size(), 3u);
}

TEST(DataCard, CountsPartsLengthsAndLicences) {
  const std::vector<Sample> samples = {sample_of("a", 1), sample_of("a", 2), sample_of("b", 3)};
  const std::vector<Part> parts = {Part::kSft, Part::kRanking, Part::kLeftOut};
  const std::string card = data_card(samples, parts, std::vector<std::string>{"seed 0"});
  EXPECT_THAT(
      card, HasSubstr("| a | 1 | 1 | 0 | 0 |\n| b | 0 | 0 | 0 | 1 |\n| **all** | 1 | 1 | 0 | 1 |"));
  EXPECT_THAT(card, HasSubstr("| passages of a list | 3.0 | 3 | 3 | 3 |"));
  EXPECT_THAT(card, HasSubstr("- CC0: 3 samples"));
  EXPECT_THAT(card, HasSubstr("- seed 0\n"));
}

TEST(Export, LlamaFactoryGetsOpenAisForm) {
  const PromptBuilder prompts({.mode = PromptMode::kReasoning});
  const SftExample example = sft_example_of(task_of(sample_of("a", 1)), "because", prompts);
  const Json row = llama_factory_row(example);
  ASSERT_EQ(row["messages"].size(), 3u);
  EXPECT_EQ(row["messages"][2]["role"], "assistant");
  EXPECT_EQ(row["messages"][2]["content"],
            "<think>\nbecause\n</think>\n<answer>[3] > [1] > [2]</answer>");
  const Json info = llama_factory_info("rr", "rr.jsonl");
  EXPECT_EQ(info["rr"]["file_name"], "rr.jsonl");
  EXPECT_EQ(info["rr"]["formatting"], "sharegpt");
  EXPECT_EQ(info["rr"]["tags"]["assistant_tag"], "assistant");
}

TEST(Export, VerlGetsThePublishedRow) {
  const PromptBuilder prompts({.mode = PromptMode::kReasoning});
  const Json row = verl_row(task_of(sample_of("a", 1)), prompts, 7, "train");
  EXPECT_EQ(row["prompt"].size(), 2u);
  EXPECT_EQ(row["prompt"][0]["role"], "system");
  EXPECT_EQ(row["data_source"], "ranking");
  EXPECT_EQ(row["label"], "[3] > [1] > [2]");
  EXPECT_EQ(row["reward_model"]["ground_truth"], "[3] > [1] > [2]");
  EXPECT_EQ(row["reward_model"]["style"], "rule");
  EXPECT_EQ(row["relevant_docids"], Json::array({"d2"}));
  EXPECT_EQ(row["extra_info"]["index"], 7);
  EXPECT_EQ(row["extra_info"]["split"], "train");
  EXPECT_EQ(row["extra_info"]["initial_list"], Json::array({"d0", "d1", "d2"}));
}

}  // namespace
}  // namespace rr
