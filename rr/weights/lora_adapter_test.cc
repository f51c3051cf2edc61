#include "rr/weights/lora_adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "rr/base/json.h"
#include "tests/shared_data.h"
#include "tests/test_folder.h"

namespace rr {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::vector<float> kA = {1, 2, 3, 4, 5, 6};
const std::vector<float> kB = {1, -1, 2, -2};

class LoraAdapterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const LoraTensorToWrite tensors[] = {{"model.layers.0.mlp.up_proj.lora_A.weight", {2, 3}, kA},
                                         {"model.layers.0.mlp.up_proj.lora_B.weight", {2, 2}, kB}};
    ASSERT_TRUE(write_lora_adapter(folder_, tensors, 2, 8, "base").ok());
  }

  // The refusal of the adapter with a field of its configuration set.
  std::string refusal_with(const char* key, const Json& value) const {
    std::ifstream in(folder_ / "adapter_config.json");
    Json config = Json::parse(in);
    config[key] = value;
    std::ofstream(folder_ / "adapter_config.json") << config.dump();
    const auto adapter = LoraAdapter::open(folder_);
    return adapter.ok() ? "" : adapter.error().to_string();
  }

  TestFolder parent_;
  fs::path folder_ = parent_ / "adapter";
};

TEST_F(LoraAdapterTest, ReadsWhatItWrote) {
  const auto adapter = LoraAdapter::open(folder_).value();
  ASSERT_EQ(adapter->modules().size(), 1u);
  const LoraModule& module = adapter->modules()[0];
  EXPECT_EQ(module.name, "model.layers.0.mlp.up_proj");
  EXPECT_EQ(module.scale, 4);
  std::vector<float> row(3);
  dequantize_row(module.a, 1, row);
  EXPECT_EQ(row, (std::vector<float>{4, 5, 6}));
}

TEST_F(LoraAdapterTest, ScalesByTheRootWhereAsked) {
  EXPECT_EQ(refusal_with("use_rslora", true), "");
  EXPECT_FLOAT_EQ(LoraAdapter::open(folder_).value()->modules()[0].scale, 8 / std::sqrt(2.0f));
}

TEST_F(LoraAdapterTest, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(refusal_with("use_dora", true), HasSubstr("\"use_dora\" are not supported"));
  EXPECT_THAT(refusal_with("use_dora", false), "");
  EXPECT_THAT(refusal_with("modules_to_save", Json::array({"lm_head"})),
              HasSubstr("\"modules_to_save\" are not supported"));
  EXPECT_THAT(refusal_with("modules_to_save", nullptr), "");
  EXPECT_THAT(refusal_with("bias", "all"), HasSubstr("change biases"));
  EXPECT_THAT(refusal_with("bias", "none"), "");
  EXPECT_THAT(refusal_with("r", 0), HasSubstr("rank \"r\" of 1 or more"));
  EXPECT_THAT(refusal_with("peft_type", "IA3"), HasSubstr("LORA"));
  EXPECT_THAT(LoraAdapter::open(folder_ / "none").error().to_string(),
              HasSubstr("expected a folder with adapter_config.json"));
}

TEST_F(LoraAdapterTest, RefusesHalvesAndRanksThatDoNotFit) {
  const auto refusal = [&](const std::vector<LoraTensorToWrite>& tensors) {
    EXPECT_TRUE(write_lora_adapter(folder_, tensors, 2, 8, "base").ok());
    return LoraAdapter::open(folder_).error().to_string();
  };
  EXPECT_THAT(refusal({{"m.lora_A.weight", {2, 3}, kA}}), HasSubstr("expected A and B of m"));
  EXPECT_THAT(refusal({{"m.lora_A.weight", {2, 3}, kA}, {"m.lora_B.weight", {4, 1}, kB}}),
              HasSubstr("A of m has rank 2 and B rank 1"));
  EXPECT_THAT(refusal({{"m.weight", {2, 3}, kA}}), HasSubstr("is none of a LoRA adapter's"));
}

TEST(LoraAdapter, ReadsPeftsOwn) {
  RR_NEEDS_FILE(shared_data("golden-tiny-models"));
  const auto adapter = LoraAdapter::open(shared_data("golden-tiny-models/llama-mha/lora")).value();
  EXPECT_EQ(adapter->modules().size(), 21u);  // seven layers in each of three
  EXPECT_EQ(adapter->modules()[0].scale, 2);
}

}  // namespace
}  // namespace rr
