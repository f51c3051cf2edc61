#include "rr/weights/internal/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "rr/weights/internal/file_builder.h"

namespace rr::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr const char* kTwoTensors = R"({"__metadata__":{"format":"pt"},)"
                                    R"("b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
                                    R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";

Result<SafetensorsContents> parse(const std::string& file) {
  return parse_safetensors(bytes_of(file), "m.safetensors");
}

std::string message_of(const std::string& header, const std::string& data = "") {
  const Result<SafetensorsContents> result = parse(safetensors_file(header, data));
  return result.ok() ? "no error" : result.error().to_string();
}

// A header with one tensor "t", given its fields.
std::string one_tensor(const std::string& fields) { return R"({"t":{)" + fields + "}}"; }

TEST(Safetensors, GivesTensorsInTheOrderOfTheirData) {
  const std::string file = safetensors_file(kTwoTensors, "AAAABBBBBBBBBBBB");
  const Result<SafetensorsContents> contents = parse(file);
  ASSERT_TRUE(contents.ok()) << contents.error().to_string();
  ASSERT_EQ(contents->tensors.size(), 2U);
  const TensorView& a = contents->tensors[0];
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.type, TensorType::kF32);
  EXPECT_EQ(a.bytes.size(), 4U);
  EXPECT_EQ(a.bytes[0], std::byte{'A'});
  const TensorView& b = contents->tensors[1];
  EXPECT_EQ(b.name, "b");
  EXPECT_EQ(b.type, TensorType::kBF16);
  EXPECT_THAT(b.shape, ElementsAre(2U, 3U));
  EXPECT_EQ(b.bytes[0], std::byte{'B'});
  EXPECT_TRUE(contents->left_out.empty());
}

TEST(Safetensors, TakesHeadersPaddedWithBlanksAndFilesWithoutTensors) {
  EXPECT_EQ(message_of(std::string(kTwoTensors) + "     ", std::string(16, 'x')), "no error");
  EXPECT_EQ(message_of("{}"), "no error");
}

TEST(Safetensors, TakesScalars) {
  const std::string file =
      safetensors_file(one_tensor(R"("dtype":"F16","shape":[],"data_offsets":[0,2])"), "xx");
  const Result<SafetensorsContents> contents = parse(file);
  ASSERT_TRUE(contents.ok()) << contents.error().to_string();
  EXPECT_EQ(contents->tensors[0].num_elements(), 1U);
}

TEST(Safetensors, LeavesOutTensorsOfOtherTypesAndSaysWhy) {
  const Result<SafetensorsContents> contents = parse(
      safetensors_file(R"({"position_ids":{"dtype":"I64","shape":[1,2],"data_offsets":[0,16]},)"
                       R"("w":{"dtype":"F32","shape":[1],"data_offsets":[16,20]},)"
                       R"("none":{"dtype":"F32","shape":[0,7],"data_offsets":[20,20]}})",
                       std::string(20, 'x')));
  ASSERT_TRUE(contents.ok()) << contents.error().to_string();
  ASSERT_EQ(contents->tensors.size(), 1U);
  EXPECT_EQ(contents->tensors[0].name, "w");
  ASSERT_EQ(contents->left_out.size(), 2U);
  EXPECT_EQ(contents->left_out[0].name, "position_ids");
  EXPECT_THAT(contents->left_out[0].reason, HasSubstr("is of type I64, which is not read"));
  EXPECT_EQ(contents->left_out[1].reason, "has no elements");
}

TEST(Safetensors, PassesOverFieldsThatItDoesNotKnow) {
  EXPECT_EQ(message_of(one_tensor(R"("x":{"shape":[1,{"y":2}]},"dtype":"F32","shape":[1],)"
                                  R"("data_offsets":[0,4],"z":null)"),
                       "AAAA"),
            "no error");
}

TEST(Safetensors, RefusesHeadersOfImpossibleLength) {
  EXPECT_THAT(parse("1234567").error().to_string(), HasSubstr("found only 7 bytes"));
  std::string huge(16, '\xFF');
  EXPECT_THAT(parse(huge).error().to_string(), HasSubstr("at most 100000000 bytes"));
  std::string cut = safetensors_file(kTwoTensors, "");
  cut.resize(cut.size() - 1);
  EXPECT_THAT(parse(cut).error().to_string(), HasSubstr("is the file cut off?"));
}

TEST(Safetensors, RefusesHeadersThatAreNoObjectOfObjects) {
  EXPECT_THAT(message_of(""), HasSubstr("m.safetensors: header: expected JSON"));
  EXPECT_THAT(message_of("{\"a\":"), HasSubstr("expected JSON"));
  EXPECT_THAT(message_of("{} {}"), HasSubstr("expected JSON"));
  EXPECT_THAT(message_of("[]"), HasSubstr("expected a JSON object, found an array"));
  EXPECT_THAT(message_of("7"), HasSubstr("expected a JSON object, found a single value"));
  EXPECT_THAT(message_of(R"({"t":[]})"), HasSubstr("expected \"t\" to be an object"));
  EXPECT_THAT(message_of(R"({"t":"x"})"), HasSubstr("expected \"t\" to be an object"));
  EXPECT_THAT(message_of("{\"t\xFF\":{}}"), HasSubstr("expected JSON"));
}

TEST(Safetensors, RefusesDeepNestingWithoutRecursion) {
  EXPECT_THAT(message_of(R"({"__metadata__":{"a":)" + std::string(1000000, '[')),
              HasSubstr("nested deeper than 16 levels"));
}

TEST(Safetensors, RefusesFieldsOfTheWrongKind) {
  for (const char* fields : {
           R"("dtype":7,"shape":[1],"data_offsets":[0,4])",
           R"("dtype":"","shape":[1],"data_offsets":[0,4])",
           R"("dtype":"F\n","shape":[1],"data_offsets":[0,4])",
           R"("dtype":["F32"],"shape":[1],"data_offsets":[0,4])",
           R"("dtype":"F32","shape":1,"data_offsets":[0,4])",
           R"("dtype":"F32","shape":{"a":1},"data_offsets":[0,4])",
           R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])",
           R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])",
           R"("dtype":"F32","shape":["1"],"data_offsets":[0,4])",
           R"("dtype":"F32","shape":[[1]],"data_offsets":[0,4])",
           R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4])",
           R"("dtype":"F32","shape":[1],"data_offsets":[0,4,8])",
           R"("dtype":"F32","shape":[1],"data_offsets":"0")",
       }) {
    EXPECT_THAT(message_of(one_tensor(fields), "AAAA"),
                HasSubstr("of tensor \"t\" is not what the format asks for"))
        << fields;
  }
}

TEST(Safetensors, RefusesTensorsThatLackAField) {
  for (const char* fields : {
           R"("shape":[1],"data_offsets":[0,4])",
           R"("dtype":"F32","data_offsets":[0,4])",
           R"("dtype":"F32","shape":[1])",
           R"("dtype":"F32","shape":[1],"data_offsets":[0])",
           "",
       }) {
    EXPECT_THAT(message_of(one_tensor(fields), "AAAA"),
                HasSubstr("expected \"dtype\", \"shape\" and two \"data_offsets\" of tensor \"t\""))
        << fields;
  }
}

TEST(Safetensors, RefusesRepeatedNames) {
  EXPECT_THAT(message_of(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                         R"("t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                         "AAAABBBB"),
              HasSubstr("key \"t\" stands twice"));
  EXPECT_THAT(message_of(one_tensor(R"("dtype":"F32","dtype":"F16")")),
              HasSubstr("key \"dtype\" stands twice"));
}

TEST(Safetensors, RefusesShapesThatDoNotFitTheirBytes) {
  const auto with_shape = [](const std::string& shape) {
    return message_of(one_tensor(R"("dtype":"F32","data_offsets":[0,8],"shape":)" + shape),
                      "AAAABBBB");
  };
  EXPECT_EQ(with_shape("[2]"), "no error");
  EXPECT_THAT(with_shape("[1]"), HasSubstr("the shape of tensor \"t\" (F32) does not fit its 8"));
  EXPECT_THAT(with_shape("[3]"), HasSubstr("does not fit"));
  EXPECT_THAT(with_shape("[0]"), HasSubstr("does not fit"));
  EXPECT_THAT(with_shape("[18446744073709551615,2]"), HasSubstr("does not fit"));
  // 4 * (2^63 + 2) is 8 modulo 2^64.
  EXPECT_THAT(with_shape("[9223372036854775810]"), HasSubstr("does not fit"));
}

TEST(Safetensors, RefusesOverlapsHolesAndRestsInTheData) {
  const auto with_ranges = [](const std::string& first, const std::string& second) {
    return message_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + first +
                          R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + second + "}}",
                      "AAAABBBB");
  };
  EXPECT_EQ(with_ranges("[0,4]", "[4,8]"), "no error");
  EXPECT_EQ(with_ranges("[4,8]", "[0,4]"), "no error");
  EXPECT_THAT(with_ranges("[0,4]", "[0,4]"), HasSubstr("tensors overlap or leave a hole"));
  EXPECT_THAT(with_ranges("[0,4]", "[2,6]"), HasSubstr("tensors overlap or leave a hole"));
  EXPECT_THAT(with_ranges("[0,4]", "[5,9]"), HasSubstr("tensors overlap or leave a hole"));
  EXPECT_THAT(with_ranges("[1,5]", "[5,9]"), HasSubstr("tensors overlap or leave a hole"));
  EXPECT_THAT(with_ranges("[0,4]", "[4,0]"), HasSubstr("tensors overlap or leave a hole"));
  EXPECT_THAT(with_ranges("[0,4]", "[4,9]"), HasSubstr("expected 9 bytes of tensors, found 8"));
  EXPECT_THAT(with_ranges("[0,4]", "[4,7]"), HasSubstr("expected 7 bytes of tensors, found 8"));
  EXPECT_THAT(with_ranges("[0,4]", "[4,18446744073709551615]"), HasSubstr("expected 1844674407"));
}

TEST(Safetensors, RefusesAFileCutAtAnyByte) {
  const std::string whole = safetensors_file(kTwoTensors, "AAAABBBBBBBBBBBB");
  ASSERT_TRUE(parse(whole).ok());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<char> cut(whole.data(), whole.data() + size);
    ASSERT_FALSE(parse_safetensors(std::as_bytes(std::span(cut)), "m").ok()) << size;
  }
}

RC_GTEST_PROP(Safetensors, StaysInsideTheFileWhateverBytesAreChanged, ()) {
  std::string file = safetensors_file(kTwoTensors, "AAAABBBBBBBBBBBB");
  const auto changes = *rc::gen::nonEmpty(
      rc::gen::container<std::vector<std::pair<std::size_t, char>>>(rc::gen::pair(
          rc::gen::inRange<std::size_t>(0, file.size()), rc::gen::inRange<char>(32, 127))));
  for (const auto& [place, value] : changes) file[place] = value;
  const Result<SafetensorsContents> contents = parse(file);
  if (!contents.ok()) return;
  for (const TensorView& tensor : contents->tensors) {
    RC_ASSERT(tensor.num_elements() * block_shape(tensor.type).bytes == tensor.bytes.size());
    const auto start = tensor.bytes.data() - bytes_of(file).data();
    RC_ASSERT(start >= 0 && static_cast<std::size_t>(start) + tensor.bytes.size() <= file.size());
  }
}

TEST(SafetensorsIndex, GivesTheShardOfEachTensor) {
  const Result<ShardOfTensor> index = parse_safetensors_index(
      R"({"metadata":{"total_size":8,"x":[{}]},"weight_map":{"b":"2.safetensors","a":"1.safetensors"}})",
      "index");
  ASSERT_TRUE(index.ok()) << index.error().to_string();
  EXPECT_THAT(index.value(), ElementsAre(Pair("a", "1.safetensors"), Pair("b", "2.safetensors")));
}

TEST(SafetensorsIndex, RefusesShardsOutsideTheFolder) {
  for (const char* shard : {"../x", "/etc/passwd", "a/b", "", ".", "..", "a\\u0000b"}) {
    const Result<ShardOfTensor> index =
        parse_safetensors_index(R"({"weight_map":{"t":")" + std::string(shard) + R"("}})", "index");
    ASSERT_FALSE(index.ok()) << shard;
    EXPECT_THAT(index.error().message,
                HasSubstr("expected the shard of tensor \"t\" to be the name"))
        << shard;
  }
}

TEST(SafetensorsIndex, RefusesWhatIsNoMapOfNames) {
  const auto message = [](const char* text) {
    const Result<ShardOfTensor> index = parse_safetensors_index(text, "index");
    return index.ok() ? "no error" : index.error().message;
  };
  EXPECT_EQ(message(R"({"weight_map":{}})"), "no error");
  EXPECT_THAT(message(""), HasSubstr("expected JSON"));
  EXPECT_THAT(message("[]"), HasSubstr("expected a JSON object"));
  EXPECT_THAT(message("{}"), HasSubstr("expected a field \"weight_map\""));
  EXPECT_THAT(message(R"({"weight_map":7})"), HasSubstr("\"weight_map\""));
  EXPECT_THAT(message(R"({"weight_map":[]})"),
              HasSubstr("expected \"weight_map\" to be an object"));
  EXPECT_THAT(message(R"({"weight_map":{"t":7}})"), HasSubstr("expected the shard of tensor"));
  EXPECT_THAT(message(R"({"weight_map":{"t":["x"]}})"), HasSubstr("expected the shard of tensor"));
  EXPECT_THAT(message(R"({"weight_map":{"t":"x","t":"y"}})"), HasSubstr("stands twice"));
}

}  // namespace
}  // namespace rr::internal
