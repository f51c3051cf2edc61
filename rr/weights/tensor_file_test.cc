#include "rr/weights/tensor_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "rr/weights/internal/file_builder.h"
#include "tests/test_folder.h"

namespace rr {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class TensorFileTest : public ::testing::Test {
 protected:
  TestFolder folder_;
  fs::path path_ = folder_ / "a.safetensors";
};

TEST_F(TensorFileTest, ReadsWhatItWrote) {
  const std::vector<float> a = {1, 2, 3, 4, 5, 6};
  const std::vector<std::uint16_t> b = {0x3f80, 0x4000};  // 1 and 2 in bf16
  const TensorToWrite tensors[] = {{"z", TensorType::kF32, {2, 3}, std::as_bytes(std::span(a))},
                                   {"a", TensorType::kBF16, {2}, std::as_bytes(std::span(b))}};
  ASSERT_TRUE(write_tensor_file(path_, tensors, {{"step", "7"}, {"note", "\"quoted\""}}).ok());
  const auto file = TensorFile::open(path_).value();
  ASSERT_EQ(file->tensors().size(), 2u);
  EXPECT_EQ(file->tensors()[0].name, "z");  // in the order of writing
  EXPECT_EQ(file->metadata().at("step"), "7");
  EXPECT_EQ(file->metadata().at("note"), "\"quoted\"");
  std::vector<float> row(3);
  dequantize_row(*file->find("z"), 1, row);
  EXPECT_EQ(row, (std::vector<float>{4, 5, 6}));
  row.resize(2);
  dequantize_row(*file->find("a"), 0, row);
  EXPECT_EQ(row, (std::vector<float>{1, 2}));
  EXPECT_EQ(file->find("b"), nullptr);
}

TEST_F(TensorFileTest, AlignsItsData) {
  const std::vector<float> a = {1};
  const TensorToWrite tensor = {"a", TensorType::kF32, {1}, std::as_bytes(std::span(a))};
  ASSERT_TRUE(write_tensor_file(path_, {&tensor, 1}).ok());
  EXPECT_EQ(fs::file_size(path_) % 64, 4u);
  EXPECT_TRUE(TensorFile::open(path_).value()->metadata().empty());
}

TEST_F(TensorFileTest, RefusesTypesThatAreNotRead) {
  internal::write_bytes(
      path_,
      internal::safetensors_file(R"({"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}})", "xy"));
  EXPECT_THAT(TensorFile::open(path_).error().to_string(),
              HasSubstr("tensor a is of type I8, which is not read"));
}

TEST_F(TensorFileTest, SaysWhereItCannotBeWritten) {
  EXPECT_THAT(write_tensor_file("/nowhere/a.safetensors", {}).error().to_string(),
              HasSubstr("/nowhere/a.safetensors: cannot be written"));
}

}  // namespace
}  // namespace rr
