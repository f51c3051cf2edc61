#include "rr/fusion/settings_file.h"

#include <gtest/gtest.h>

#include "tests/test_folder.h"

namespace rr {
namespace {

Result<FusionSettings> settings_of(const std::string& text) {
  const TestFolder folder;
  return read_fusion_settings(folder.write("settings.json", text));
}

TEST(FusionSettings, ComeBackAsTheyWere) {
  const FusionOptions linear{.method = FusionMethod::kLinear,
                             .normalization = Normalization::kZmuv,
                             .absent = AbsentScore::kLowest,
                             .weights = {0.35, 0.65}};
  const FusionSettings read =
      settings_of(format_fusion_settings({{"a.trec", "b.trec"}, linear}, nullptr, {})).value();
  EXPECT_EQ(read.runs, (std::vector<std::string>{"a.trec", "b.trec"}));
  EXPECT_EQ(read.options.method, FusionMethod::kLinear);
  EXPECT_EQ(read.options.normalization, Normalization::kZmuv);
  EXPECT_EQ(read.options.absent, AbsentScore::kLowest);
  EXPECT_EQ(read.options.weights, linear.weights);
  const FusionOptions rrf{.rrf_k = 10, .weights = {1, 0}};
  Tuning tuning;
  tuning.folds = {{rrf, 3, 0.5, 0.25}};
  EXPECT_EQ(settings_of(format_fusion_settings({{}, rrf}, &tuning, {})).value().options.rrf_k, 10);
}

TEST(FusionSettings, CanBeSaidOnTheCommandLine) {
  EXPECT_EQ(as_command_line({.rrf_k = 10, .weights = {0.3, 0.7}}),
            "--method rrf --rrf-k 10 --weights 0.3,0.7");
  EXPECT_EQ(as_command_line({.method = FusionMethod::kLinear, .weights = {1, 0}}),
            "--method linear --normalize minmax --absent zero --weights 1,0");
}

TEST(FusionSettings, SayWhatIsWrong) {
  const auto refusal = [](const std::string& text) { return settings_of(text).error().message; };
  EXPECT_EQ(refusal("[]"), "expected a JSON object, found array");
  EXPECT_EQ(refusal(R"({"format": "x"})"),
            "expected the format \"reasonrank fusion settings\", found \"x\"");
  const std::string head = R"({"format": "reasonrank fusion settings", )";
  EXPECT_EQ(refusal(head + R"("method": "sum"})"),
            "expected \"method\" to be one of rrf, linear, found \"sum\"");
  EXPECT_EQ(refusal(head + R"("method": "rrf"})"), "expected a list \"weights\"");
  EXPECT_EQ(refusal(head + R"("method": "rrf", "rrf_k": -1})"),
            "expected \"rrf_k\" to be at least 0");
  EXPECT_EQ(refusal(head + R"("method": "rrf", "weights": ["1"]})"),
            "expected a weight to be a finite number");
}

}  // namespace
}  // namespace rr
