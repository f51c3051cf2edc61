#include "rr/lm/label_tree.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "rr/lm/internal/test_tokenizers.h"

namespace rr {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> identifiers(std::size_t count) {
  std::vector<std::string> labels;
  for (std::size_t i = 1; i <= count; ++i) labels.push_back(fmt::format("[{}] > [", i));
  return labels;
}

LabelTree tree_of(const Tokenizer& tokenizer, const std::vector<std::string>& labels) {
  auto tree = LabelTree::make(tokenizer, labels);
  EXPECT_TRUE(tree.ok());
  return std::move(tree).value();
}

// SmolLM2 writes numbers digit by digit.
TEST(LabelTree, ForksWhereTokensPart) {
  RR_NEEDS_FILE(default_model_file());
  const auto tokenizer = internal::smollm_tokenizer();
  const auto token = [&](const char* text) { return tokenizer->encode(text).front(); };
  const LabelTree small = tree_of(*tokenizer, identifiers(9));
  ASSERT_THAT(small.forks(), SizeIs(1));
  EXPECT_THAT(small.forks()[0].path, ElementsAre(token("[")));
  EXPECT_THAT(small.forks()[0].branches, SizeIs(9));

  const LabelTree large = tree_of(*tokenizer, identifiers(20));
  ASSERT_THAT(large.forks(), SizeIs(3));
  EXPECT_THAT(large.forks()[0].branches, SizeIs(9));
  EXPECT_THAT(large.forks()[1].path, ElementsAre(token("["), token("1")));
  EXPECT_THAT(large.forks()[1].branches, SizeIs(11));  // "]" and ten digits
  EXPECT_THAT(large.forks()[2].path, ElementsAre(token("["), token("2")));
  EXPECT_THAT(large.forks()[2].branches, SizeIs(2));
  EXPECT_THAT(large.steps(2), SizeIs(1));   // [3]
  EXPECT_THAT(large.steps(0), SizeIs(2));   // [1]
  EXPECT_THAT(large.steps(19), SizeIs(2));  // [20]
}

// A distribution at every fork is one over the labels.
TEST(LabelTree, MultipliesProbabilitiesAlongTheWay) {
  RR_NEEDS_FILE(default_model_file());
  const LabelTree tree = tree_of(*internal::smollm_tokenizer(), identifiers(20));
  std::vector<std::vector<double>> at_forks;
  for (const LabelTree::Fork& fork : tree.forks()) {
    std::vector<double>& logprobs = at_forks.emplace_back();
    const double total =
        0.5 * static_cast<double>(fork.branches.size() * (fork.branches.size() + 1));
    for (std::size_t i = 1; i <= fork.branches.size(); ++i) {
      logprobs.push_back(std::log(static_cast<double>(i) / total));
    }
  }
  double sum = 0;
  for (const double logprob : tree.logprobs(at_forks)) sum += std::exp(logprob);
  EXPECT_NEAR(sum, 1, 1e-12);
  for (const LabelTree::Fork& fork : tree.forks()) {
    EXPECT_TRUE(std::is_sorted(fork.branches.begin(), fork.branches.end()));
  }
}

TEST(LabelTree, AsksNothingForASingleLabel) {
  RR_NEEDS_FILE(default_model_file());
  const LabelTree tree = tree_of(*internal::smollm_tokenizer(), {"[1] > ["});
  EXPECT_THAT(tree.forks(), IsEmpty());
  EXPECT_THAT(tree.logprobs({}), ElementsAre(0.0));
}

TEST(LabelTree, RefusesWhatItCannotTellApart) {
  RR_NEEDS_FILE(default_model_file());
  const auto tokenizer = internal::smollm_tokenizer();
  const std::vector<std::string> labels = {"Yes", "No", "Yes, it does"};
  const auto alike = LabelTree::make(*tokenizer, labels);
  ASSERT_FALSE(alike.ok());
  EXPECT_EQ(alike.error().message,
            "the tokenizer does not tell \"Yes\" and \"Yes, it does\" apart");
  EXPECT_FALSE(LabelTree::make(*tokenizer, {}).ok());
}

}  // namespace
}  // namespace rr
