#include "rr/weights/model_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <numeric>
#include <string>

#include "rr/base/sha256.h"
#include "rr/weights/internal/file_builder.h"
#include "tests/shared_data.h"
#include "tests/test_folder.h"

namespace rr {
namespace {

namespace fs = std::filesystem;
using internal::GgufBuilder;
using internal::safetensors_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ModelFilesTest : public ::testing::Test {
 protected:
  std::string message() const { return message_for(folder_); }
  static std::string message_for(const fs::path& path) {
    const auto model = ModelFiles::open(path);
    return model.ok() ? "no error" : model.error().to_string();
  }

  TestFolder folder_;
};

// One F32 tensor of one element.
std::string one_tensor(const std::string& name, const std::string& bytes) {
  return safetensors_file(R"({")" + name + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                          bytes);
}

// Sum of a tensor's elements in double precision, row by row.
double sum_of(const TensorView& tensor) {
  std::vector<float> row(tensor.row_length());
  double sum = 0;
  for (std::size_t i = 0; i < tensor.num_rows(); ++i) {
    dequantize_row(tensor, i, row);
    sum = std::accumulate(row.begin(), row.end(), sum);
  }
  return sum;
}

std::string sha256_of_floats(const TensorView& tensor) {
  std::vector<float> all(tensor.num_elements());
  const std::size_t length = tensor.row_length();
  for (std::size_t i = 0; i < tensor.num_rows(); ++i) {
    dequantize_row(tensor, i, std::span(all).subspan(i * length, length));
  }
  return sha256_hex(std::as_bytes(std::span(all)));
}

TEST_F(ModelFilesTest, OpensAGgufFileWhateverItsName) {
  GgufBuilder builder;
  builder.text("general.architecture", "llama").tensor("w", {2}, 0, "AAAABBBB");
  folder_.write("model", builder.build());
  const auto model = ModelFiles::open(folder_ / "model");
  ASSERT_TRUE(model.ok()) << model.error().to_string();
  const ModelFiles& files = *model.value();
  EXPECT_EQ(files.format(), ModelFiles::Format::kGguf);
  EXPECT_EQ(files.path(), folder_ / "model");
  EXPECT_EQ(files.metadata()["general.architecture"], "llama");
  ASSERT_NE(files.find("w"), nullptr);
  EXPECT_EQ(files.find("w"), &files.tensors()[0]);
  EXPECT_EQ(files.find("v"), nullptr);
  EXPECT_EQ(files.total_bytes(), 8U);
  const auto side_file = files.read_side_file("tokenizer.json");
  ASSERT_TRUE(side_file.ok());
  EXPECT_EQ(side_file.value(), std::nullopt);
}

TEST_F(ModelFilesTest, OpensAFolderWithOneFile) {
  folder_.write("config.json", R"({"model_type":"llama"})");
  folder_.write("tokenizer.json", "{}");
  folder_.write("model.safetensors", one_tensor("w", "AAAA"));
  const auto model = ModelFiles::open(folder_);
  ASSERT_TRUE(model.ok()) << model.error().to_string();
  const ModelFiles& files = *model.value();
  EXPECT_EQ(files.format(), ModelFiles::Format::kHuggingFace);
  EXPECT_EQ(files.metadata()["model_type"], "llama");
  ASSERT_NE(files.find("w"), nullptr);
  EXPECT_EQ(files.read_side_file("tokenizer.json").value(), "{}");
  EXPECT_EQ(files.read_side_file("vocab.json").value(), std::nullopt);
}

TEST_F(ModelFilesTest, FollowsLinksAsTheHubCacheHasThem) {
  fs::create_directories(folder_ / "snapshot");
  folder_.write("blobs/1", "{}");
  folder_.write("blobs/2", one_tensor("w", "AAAA"));
  fs::create_symlink("../blobs/1", folder_ / "snapshot" / "config.json");
  fs::create_symlink("../blobs/2", folder_ / "snapshot" / "model.safetensors");
  EXPECT_EQ(message_for(folder_ / "snapshot"), "no error");
}

TEST_F(ModelFilesTest, OpensShardsInTheOrderOfTheirNames) {
  folder_.write("config.json", "{}");
  folder_.write("model.safetensors.index.json",
                R"({"weight_map":{"a":"2.safetensors","b":"1.safetensors"}})");
  folder_.write("1.safetensors", one_tensor("b", "BBBB"));
  folder_.write("2.safetensors", one_tensor("a", "AAAA"));
  const auto model = ModelFiles::open(folder_);
  ASSERT_TRUE(model.ok()) << model.error().to_string();
  ASSERT_EQ(model.value()->tensors().size(), 2U);
  EXPECT_EQ(model.value()->tensors()[0].name, "b");
  EXPECT_EQ(model.value()->tensors()[1].name, "a");
  EXPECT_EQ(model.value()->find("a")->bytes[0], std::byte{'A'});
}

TEST_F(ModelFilesTest, RefusesShardsThatDoNotHoldWhatTheIndexSays) {
  folder_.write("config.json", "{}");
  folder_.write("model.safetensors.index.json",
                R"({"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})");
  EXPECT_THAT(message(), HasSubstr("expected the shard \"1.safetensors\", found none"));
  folder_.write("1.safetensors", one_tensor("a", "AAAA"));
  folder_.write("2.safetensors", one_tensor("a", "AAAA"));
  EXPECT_THAT(
      message(),
      HasSubstr("tensor \"a\" stands in two shards, \"1.safetensors\" and \"2.safetensors\""));
  folder_.write("2.safetensors", one_tensor("c", "CCCC"));
  EXPECT_THAT(message(), HasSubstr("expected tensor \"b\" in the shard \"2.safetensors\""));
  folder_.write("2.safetensors", one_tensor("b", "BBBB"));
  EXPECT_EQ(message(), "no error");
}

TEST_F(ModelFilesTest, RefusesShardsOutsideTheFolder) {
  folder_.write("config.json", "{}");
  folder_.write("model.safetensors.index.json", R"({"weight_map":{"a":"../1.safetensors"}})");
  EXPECT_THAT(message(), HasSubstr("to be the name of a file in the folder"));
}

TEST_F(ModelFilesTest, NamesATensorThatIsMissingOrLeftOut) {
  folder_.write("config.json", "{}");
  folder_.write(
      "model.safetensors",
      safetensors_file(R"({"ids":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", "12345678"));
  const auto model = ModelFiles::open(folder_);
  ASSERT_TRUE(model.ok()) << model.error().to_string();
  EXPECT_EQ(model.value()->find("ids"), nullptr);
  EXPECT_THAT(model.value()->get("ids").error().message,
              HasSubstr("tensor \"ids\" is of type I64, which is not read"));
  EXPECT_THAT(model.value()->get("w").error().message,
              HasSubstr("expected a tensor \"w\", found none"));
}

TEST_F(ModelFilesTest, SaysWhatAFolderIsThatIsNoModel) {
  EXPECT_THAT(message(), HasSubstr("expected model.safetensors or model.safetensors.index.json"));
  folder_.write("pytorch_model.bin", "x");
  EXPECT_THAT(message(), HasSubstr("found pickled weights alone (pytorch_model.bin)"));
  folder_.write("m.gguf", "x");
  EXPECT_THAT(message(), HasSubstr("give the file itself: " + (folder_ / "m.gguf").string()));
  folder_.write("adapter_config.json", "{}");
  EXPECT_THAT(message(), HasSubstr("a LoRA adapter without its base model"));
}

TEST_F(ModelFilesTest, RefusesAFolderWithoutAGoodConfig) {
  folder_.write("model.safetensors", one_tensor("w", "AAAA"));
  EXPECT_THAT(message(), HasSubstr("expected a config.json"));
  folder_.write("config.json", "[1]");
  EXPECT_THAT(message(), HasSubstr("config.json: expected a JSON object, found array"));
  folder_.write("config.json", "{");
  EXPECT_THAT(message(), HasSubstr("config.json: expected JSON"));
}

TEST_F(ModelFilesTest, RefusesPathsThatAreNoModel) {
  EXPECT_THAT(message_for(folder_ / "none"), HasSubstr("no such file or folder"));
  folder_.write("model.safetensors", one_tensor("w", "AAAA"));
  EXPECT_THAT(message_for(folder_ / "model.safetensors"),
              HasSubstr("give the folder that holds it"));
  folder_.write("empty", "");
  EXPECT_THAT(message_for(folder_ / "empty"), HasSubstr("expected a GGUF file"));
  EXPECT_THAT(message_for("/dev/null"), HasSubstr("expected a regular file"));
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(message_for(folder_ / "fifo"), HasSubstr("expected a regular file"));
}

TEST_F(ModelFilesTest, ReadsNoSideFileOutsideTheFolderAndNoHugeOne) {
  folder_.write("config.json", "{}");
  folder_.write("model.safetensors", one_tensor("w", "AAAA"));
  folder_.write("tokenizer.json", "");
  fs::resize_file(folder_ / "tokenizer.json", (std::uintmax_t{256} << 20) + 1);  // a sparse file
  const auto model = ModelFiles::open(folder_);
  ASSERT_TRUE(model.ok()) << model.error().to_string();
  EXPECT_THAT(model.value()->read_side_file("../x").error().message,
              HasSubstr("expected the name of a file in the folder"));
  EXPECT_THAT(model.value()->read_side_file("tokenizer.json").error().message,
              HasSubstr("expected a file of at most 256 MiB"));
}

// The default model, against the `gguf` Python package 0.19.0 (GGUFReader, gguf.quants.dequantize).
TEST(DefaultModel, HasTheValuesThatGgmlsReferenceGives) {
  RR_NEEDS_FILE(default_model_file());
  const auto model = ModelFiles::open(default_model_file());
  ASSERT_TRUE(model.ok()) << model.error().to_string();
  const ModelFiles& files = *model.value();
  EXPECT_EQ(files.metadata().size(), 33U);
  EXPECT_EQ(files.metadata()["llama.block_count"], 30);
  EXPECT_EQ(files.metadata()["tokenizer.ggml.tokens"].size(), 49152U);
  ASSERT_EQ(files.tensors().size(), 272U);
  EXPECT_EQ(files.total_bytes(), 96576768U);

  const TensorView* embedding = files.find("token_embd.weight");
  ASSERT_NE(embedding, nullptr);
  EXPECT_EQ(embedding->type, TensorType::kQ8_0);
  EXPECT_THAT(embedding->shape, ElementsAre(49152U, 576U));
  const TensorView* gate = files.find("blk.7.ffn_gate.weight");
  ASSERT_NE(gate, nullptr);
  EXPECT_EQ(gate->type, TensorType::kQ4_1);
  EXPECT_THAT(gate->shape, ElementsAre(1536U, 576U));
  EXPECT_NEAR(sum_of(*files.find("token_embd.weight")), -15353.044494152, 1e-6);
  EXPECT_NEAR(sum_of(*files.find("blk.0.attn_q.weight")), 59.223220825, 1e-6);
  EXPECT_NEAR(sum_of(*files.find("blk.29.ffn_down.weight")), 49.835708618, 1e-6);
  EXPECT_NEAR(sum_of(*files.find("blk.7.ffn_gate.weight")), -814.023368835, 1e-6);
  EXPECT_NEAR(sum_of(*files.find("output_norm.weight")), 1038.332031250, 1e-6);

  // Of the SHA-256 of each tensor's floats, one after the other: every value of the model.
  std::string digests;
  for (const TensorView& tensor : files.tensors()) digests += sha256_of_floats(tensor);
  EXPECT_EQ(sha256_hex(digests),
            "e9ed9c8b591157d27af124cdca40b05ff30e7969a7477846906def0a55bfca1c");
}

// Against the `safetensors` Python package 0.8.0 and NumPy.
TEST(TinyLlama, HasTheValuesThatTheSafetensorsPackageGives) {
  const fs::path folder = shared_data("tiny-llama-safetensors");
  RR_NEEDS_FILE(folder);
  const auto model = ModelFiles::open(folder);
  ASSERT_TRUE(model.ok()) << model.error().to_string();
  const ModelFiles& files = *model.value();
  EXPECT_EQ(files.metadata()["hidden_size"], 128);
  ASSERT_EQ(files.tensors().size(), 39U);
  EXPECT_EQ(files.total_bytes(), 2U * 795776);
  EXPECT_NEAR(sum_of(*files.find("lm_head.weight")), -0.415209621, 1e-9);
  EXPECT_NEAR(sum_of(*files.find("model.layers.3.mlp.down_proj.weight")), 0.781287938, 1e-9);
  EXPECT_NEAR(sum_of(*files.find("model.norm.weight")), 128.000000000, 1e-9);
}

}  // namespace
}  // namespace rr
