#include "rr/fusion/settings_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "rr/base/atomic_file.h"

namespace rr {
namespace {

std::filesystem::path settings_path() {
  return std::filesystem::temp_directory_path() /
         ("rr-fusion-" + std::to_string(::getpid()) + ".json");
}

Result<FusionSettings> settings_of(const std::string& text) {
  EXPECT_TRUE(write_file(settings_path(), text).ok());
  auto settings = read_fusion_settings(settings_path());
  std::filesystem::remove(settings_path());
  return settings;
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
