#include "rr/weights/internal/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "rr/weights/internal/file_builder.h"

namespace rr::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint32_t kF32 = 0;
constexpr std::uint32_t kQ4_0 = 2;

Result<GgufContents> parse(const std::string& file) { return parse_gguf(bytes_of(file), "m.gguf"); }
Result<GgufContents> parse(const GgufBuilder& builder) { return parse(builder.build()); }

std::string message_of(const Result<GgufContents>& result) {
  return result.ok() ? "no error" : result.error().to_string();
}

// Two tensors and some metadata: 2 x 3 floats, and one row of a Q4_0 block.
GgufBuilder small_model() {
  GgufBuilder builder;
  builder.text("general.architecture", "llama");
  builder.number<std::uint32_t>("llama.block_count", 4, 2);
  builder.texts("tokenizer.ggml.tokens", {"a", "b", ""});
  builder.tensor("w", {3, 2}, kF32, std::string(24, '\1'));
  builder.tensor("q", {32}, kQ4_0, std::string(18, '\2'));
  return builder;
}

TEST(Gguf, GivesMetadataOfEveryType) {
  GgufBuilder builder;
  builder.number<std::uint8_t>("u8", 0, 200);
  builder.number<std::int8_t>("i8", 1, -100);
  builder.number<std::uint16_t>("u16", 2, 60000);
  builder.number<std::int16_t>("i16", 3, -30000);
  builder.number<std::uint32_t>("u32", 4, 4000000000U);
  builder.number<std::int32_t>("i32", 5, -2000000000);
  builder.number<float>("f32", 6, 0.5F);
  builder.number<std::uint8_t>("yes", 7, 1);
  builder.number<std::uint8_t>("no", 7, 0);
  builder.text("text", "caf\xC3\xA9");
  builder.number<std::uint64_t>("u64", 10, std::numeric_limits<std::uint64_t>::max());
  builder.number<std::int64_t>("i64", 11, std::numeric_limits<std::int64_t>::min());
  builder.number<double>("f64", 12, 1e-100);
  const Result<GgufContents> contents = parse(builder);
  ASSERT_TRUE(contents.ok()) << message_of(contents);
  EXPECT_EQ(contents->metadata.dump(),
            R"({"u8":200,"i8":-100,"u16":60000,"i16":-30000,"u32":4000000000,"i32":-2000000000,)"
            R"("f32":0.5,"yes":true,"no":false,"text":"café","u64":18446744073709551615,)"
            R"("i64":-9223372036854775808,"f64":1e-100})");
}

TEST(Gguf, GivesArraysAndArraysOfArrays) {
  std::string numbers;  // int16 [-1, 2]
  put_number<std::uint32_t>(numbers, 3);
  put_number<std::uint64_t>(numbers, 2);
  put_number<std::int16_t>(numbers, -1);
  put_number<std::int16_t>(numbers, 2);
  std::string nested;  // [numbers, numbers, []]
  put_number<std::uint32_t>(nested, 9);
  put_number<std::uint64_t>(nested, 3);
  nested += numbers + numbers;
  put_number<std::uint32_t>(nested, 6);
  put_number<std::uint64_t>(nested, 0);
  const Result<GgufContents> contents =
      parse(GgufBuilder().texts("words", {"x", "", "yz"}).entry("nested", 9, nested));
  ASSERT_TRUE(contents.ok()) << message_of(contents);
  EXPECT_EQ(contents->metadata.dump(), R"({"words":["x","","yz"],"nested":[[-1,2],[-1,2],[]]})");
}

TEST(Gguf, RepairsTextsThatAreNotUtf8) {
  const Result<GgufContents> contents = parse(GgufBuilder().text("name", "a\xFF z"));
  ASSERT_TRUE(contents.ok()) << message_of(contents);
  EXPECT_EQ(contents->metadata["name"], "a\xEF\xBF\xBD z");
}

TEST(Gguf, TurnsShapesSoThatTheLastDimensionIsContiguous) {
  const std::string file = small_model().build();
  const Result<GgufContents> contents = parse(file);
  ASSERT_TRUE(contents.ok()) << message_of(contents);
  ASSERT_EQ(contents->tensors.size(), 2U);
  const TensorView& w = contents->tensors[0];
  EXPECT_EQ(w.name, "w");
  EXPECT_EQ(w.type, TensorType::kF32);
  EXPECT_THAT(w.shape, ElementsAre(2U, 3U));
  EXPECT_EQ(w.num_rows(), 2U);
  EXPECT_EQ(w.row_length(), 3U);
  EXPECT_EQ(w.num_elements(), 6U);
  EXPECT_EQ(w.row(1).data(), w.bytes.data() + 12);
  const TensorView& q = contents->tensors[1];
  EXPECT_EQ(q.type, TensorType::kQ4_0);
  EXPECT_EQ(q.bytes.size(), 18U);
  EXPECT_EQ(q.bytes[0], std::byte{2});
}

TEST(Gguf, FindsTheDataBehindTheAlignmentThatTheFileNames) {
  for (const std::uint32_t alignment : {1U, 8U, 64U, 4096U}) {
    GgufBuilder builder;
    builder.alignment = alignment;
    builder.number<std::uint32_t>("general.alignment", 4, alignment);
    builder.tensor("a", {1}, kF32, "AAAA").tensor("b", {1}, kF32, "BBBB");
    const std::string file = builder.build();
    const Result<GgufContents> contents = parse(file);
    ASSERT_TRUE(contents.ok()) << alignment << ": " << message_of(contents);
    EXPECT_EQ(contents->tensors[0].bytes[0], std::byte{'A'}) << alignment;
    EXPECT_EQ(contents->tensors[1].bytes[0], std::byte{'B'}) << alignment;
  }
}

TEST(Gguf, ReadsVersionTwoAsThree) {
  GgufBuilder builder = small_model();
  builder.version = 2;
  EXPECT_TRUE(parse(builder).ok());
}

TEST(Gguf, TakesAFileWithoutTensors) {
  const Result<GgufContents> contents = parse(GgufBuilder().text("a", "b"));
  ASSERT_TRUE(contents.ok()) << message_of(contents);
  EXPECT_TRUE(contents->tensors.empty());
}

TEST(Gguf, RefusesOtherKindsOfFileByName) {
  GgufBuilder builder = small_model();
  EXPECT_THAT(message_of(parse("")), HasSubstr("expected a GGUF file"));
  EXPECT_THAT(message_of(parse("PK\3\4 a zip")), HasSubstr("expected a GGUF file"));
  builder.magic = "tjgg";
  EXPECT_THAT(message_of(parse(builder)), HasSubstr("the format before GGUF"));
  builder.magic = "FUGG";
  EXPECT_THAT(message_of(parse(builder)), HasSubstr("big-endian"));
  builder.magic = "GGUF";
  builder.version = 0x03000000;
  EXPECT_THAT(message_of(parse(builder)), HasSubstr("big-endian"));
  builder.version = 1;
  EXPECT_THAT(message_of(parse(builder)), HasSubstr("expected GGUF version 2 or 3, found 1"));
  builder.version = 4;
  EXPECT_THAT(message_of(parse(builder)), HasSubstr("expected GGUF version 2 or 3, found 4"));
}

TEST(Gguf, RefusesOnePartOfASplitModel) {
  EXPECT_THAT(message_of(parse(small_model().number<std::uint16_t>("split.count", 2, 3))),
              HasSubstr("one part of a GGUF model split into 3"));
  EXPECT_TRUE(parse(small_model().number<std::uint16_t>("split.count", 2, 1)).ok());
}

TEST(Gguf, RefusesForeignTensorTypesByName) {
  const auto with_type = [](std::uint32_t type) {
    return message_of(parse(GgufBuilder().tensor("t", {256}, type, std::string(2048, 'x'))));
  };
  EXPECT_THAT(with_type(23), HasSubstr("tensor \"t\" is of type IQ4_XS, which is not read"));
  EXPECT_THAT(with_type(15), HasSubstr("Q8_K"));
  EXPECT_THAT(with_type(24), HasSubstr("I8,"));
  EXPECT_THAT(with_type(34), HasSubstr("TQ1_0"));
  EXPECT_THAT(with_type(39), HasSubstr("MXFP4"));
  EXPECT_THAT(with_type(999), HasSubstr("type number 999"));
}

TEST(Gguf, RefusesCountsThatTheFileHasNoRoomFor) {
  for (const std::uint64_t count :
       {std::uint64_t{1000}, std::uint64_t{1} << 40, std::numeric_limits<std::uint64_t>::max()}) {
    GgufBuilder tensors = small_model();
    tensors.claimed_tensors = count;
    EXPECT_THAT(message_of(parse(tensors)), HasSubstr("tensors, found")) << count;
    GgufBuilder entries = small_model();
    entries.claimed_entries = count;
    EXPECT_THAT(message_of(parse(entries)), HasSubstr("metadata entries, found")) << count;
    std::string array;
    put_number<std::uint32_t>(array, 0);
    put_number<std::uint64_t>(array, count);
    EXPECT_THAT(message_of(parse(GgufBuilder().entry("a", 9, array))),
                HasSubstr("elements of an array, found"))
        << count;
    std::string text;
    put_number<std::uint64_t>(text, count);
    EXPECT_THAT(message_of(parse(GgufBuilder().entry("a", 8, text))),
                HasSubstr("found the end of the file"))
        << count;
  }
}

TEST(Gguf, RefusesMoreValuesThanAnyModelHas) {
  std::string array;
  put_number<std::uint32_t>(array, 0);
  put_number<std::uint64_t>(array, kMaxGgufValues);
  array.append(kMaxGgufValues, '\0');
  EXPECT_THAT(message_of(parse(GgufBuilder().entry("a", 9, array))),
              HasSubstr("expected at most 16777216 metadata values"));
}

TEST(Gguf, RefusesArraysNestedTooDeep) {
  const auto nested = [](int depth) {
    std::string value;
    for (int i = 0; i + 1 < depth; ++i) {
      put_number<std::uint32_t>(value, 9);
      put_number<std::uint64_t>(value, 1);
    }
    put_number<std::uint32_t>(value, 0);
    put_number<std::uint64_t>(value, 1);
    return value + '\7';
  };
  EXPECT_TRUE(parse(GgufBuilder().entry("a", 9, nested(8))).ok());
  EXPECT_THAT(message_of(parse(GgufBuilder().entry("a", 9, nested(9)))),
              HasSubstr("nested at most 8 deep"));
  EXPECT_THAT(message_of(parse(GgufBuilder().entry("a", 9, nested(100000)))),
              HasSubstr("nested at most 8 deep"));
}

TEST(Gguf, RefusesUnknownMetadataTypes) {
  EXPECT_THAT(message_of(parse(GgufBuilder().entry("a", 13, "12345678"))),
              HasSubstr("expected a metadata type of 0 to 12, found 13"));
}

TEST(Gguf, RefusesRepeatedNames) {
  EXPECT_THAT(message_of(parse(GgufBuilder().text("k", "1").text("k", "2"))),
              HasSubstr("metadata key \"k\" stands twice"));
  EXPECT_THAT(message_of(parse(
                  GgufBuilder().tensor("t", {1}, kF32, "AAAA").tensor("t", {1}, kF32, "BBBB"))),
              HasSubstr("tensor \"t\" stands twice"));
}

TEST(Gguf, RefusesAlignmentsThatAreNoPowerOfTwo) {
  for (const std::uint32_t alignment : {0U, 3U, 48U}) {
    EXPECT_THAT(
        message_of(parse(GgufBuilder().number<std::uint32_t>("general.alignment", 4, alignment))),
        HasSubstr("expected general.alignment to be a power of two, found"))
        << alignment;
  }
  EXPECT_THAT(message_of(parse(GgufBuilder().text("general.alignment", "32"))),
              HasSubstr("found string"));
  EXPECT_THAT(message_of(parse(GgufBuilder().number<std::uint64_t>("general.alignment", 10,
                                                                   std::uint64_t{1} << 40))),
              HasSubstr("power of two"));
}

TEST(Gguf, RefusesTensorsOutsideTheFile) {
  const auto with = [](const std::vector<std::uint64_t>& dimensions, std::uint64_t offset) {
    return message_of(parse(GgufBuilder().tensor("t", dimensions, kF32, "AAAA", offset)));
  };
  EXPECT_EQ(with({1}, 0), "no error");
  EXPECT_THAT(with({2}, 0), HasSubstr("tensor \"t\" reaches beyond the end of the file"));
  EXPECT_THAT(with({1}, 32), HasSubstr("reaches beyond the end of the file"));
  EXPECT_THAT(with({1}, ~std::uint64_t{31}), HasSubstr("reaches beyond the end of the file"));
  EXPECT_THAT(with({std::uint64_t{1} << 59}, 0), HasSubstr("reaches beyond the end of the file"));
}

TEST(Gguf, RefusesDimensionsWhoseProductOverflows) {
  const auto with = [](const std::vector<std::uint64_t>& dimensions) {
    return message_of(parse(GgufBuilder().tensor("t", dimensions, kF32, "AAAA")));
  };
  constexpr std::uint64_t kBig = std::uint64_t{1} << 32;
  EXPECT_THAT(with({kBig, kBig}), HasSubstr("larger than any file"));
  EXPECT_THAT(with({kBig, kBig, kBig, 1}), HasSubstr("larger than any file"));
  EXPECT_THAT(with({~std::uint64_t{0}}), HasSubstr("larger than any file"));
  EXPECT_THAT(with({std::uint64_t{1} << 62, 4}), HasSubstr("larger than any file"));
  EXPECT_THAT(with({0, 4}), HasSubstr("has a dimension of 0"));
  EXPECT_THAT(with({1, 1, 1, 1, 1, 1, 1, 1, 1}), HasSubstr("at most 8 dimensions, found 9"));
}

TEST(Gguf, RefusesRowsThatAreNoWholeBlocks) {
  EXPECT_THAT(message_of(parse(GgufBuilder().tensor("t", {48, 2}, kQ4_0, std::string(54, 'x')))),
              HasSubstr("the rows of tensor \"t\" (Q4_0) to be a multiple of 32 long, found 48"));
}

TEST(Gguf, RefusesOverlappingAndMisalignedTensors) {
  GgufBuilder overlapping;
  overlapping.tensor("a", {16}, kF32, std::string(64, 'a'));
  overlapping.tensor("b", {8}, kF32, std::string(32, 'b'), 32);
  EXPECT_THAT(message_of(parse(overlapping)), HasSubstr("tensors \"a\" and \"b\" overlap"));
  EXPECT_THAT(message_of(parse(GgufBuilder().tensor("a", {1}, kF32, std::string(64, 'a'), 8))),
              HasSubstr("to start at a multiple of 32 bytes, found 8"));
}

TEST(Gguf, SaysWhereInTheFileItStopped) {
  GgufBuilder builder;
  builder.entry("a", 13, "");
  builder.claimed_entries = 1;
  // 24 bytes of start, 8 + 1 of key, 4 of type.
  EXPECT_THAT(message_of(parse(builder)), ::testing::StartsWith("m.gguf: byte 37: "));
}

TEST(Gguf, KeepsMessagesShortAndOnOneLineWhateverTheNames) {
  const std::string name = "t\n\x1B[2J" + std::string(100000, 'x');
  const std::string message = message_of(parse(GgufBuilder().tensor(name, {2}, kF32, "AAAA")));
  EXPECT_THAT(message, HasSubstr("\"t\\n\\u001b[2Jxxx"));
  EXPECT_LT(message.size(), 400U);
}

TEST(Gguf, RefusesAFileCutAtAnyByte) {
  const std::string whole = small_model().build();
  ASSERT_TRUE(parse(whole).ok());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // A copy of its own size, so that a sanitizer sees a read beyond the end.
    const std::vector<char> cut(whole.data(), whole.data() + size);
    const Result<GgufContents> contents = parse_gguf(std::as_bytes(std::span(cut)), "m.gguf");
    ASSERT_FALSE(contents.ok()) << size;
    EXPECT_FALSE(contents.error().message.empty());
    EXPECT_EQ(contents.error().message.find('\n'), std::string::npos);
  }
}

RC_GTEST_PROP(Gguf, StaysInsideTheFileWhateverBytesAreChanged, ()) {
  std::string file = small_model().build();
  const auto changes = *rc::gen::nonEmpty(
      rc::gen::container<std::vector<std::pair<std::size_t, char>>>(rc::gen::pair(
          rc::gen::inRange<std::size_t>(0, file.size()), rc::gen::arbitrary<char>())));
  for (const auto& [place, value] : changes) file[place] = value;
  const Result<GgufContents> contents = parse(file);
  if (!contents.ok()) return;
  for (const TensorView& tensor : contents->tensors) {
    const BlockShape block = block_shape(tensor.type);
    RC_ASSERT(tensor.num_elements() / block.elements * block.bytes == tensor.bytes.size());
    const auto start = tensor.bytes.data() - bytes_of(file).data();
    RC_ASSERT(start >= 0 && static_cast<std::size_t>(start) + tensor.bytes.size() <= file.size());
  }
}

}  // namespace
}  // namespace rr::internal
