#include "rr/lm/internal/vocabulary_json.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rr::internal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string fault_of(std::string_view text) {
  return parse_tokenizer_json(text, "t.json").error().to_string();
}

TEST(VocabularyJson, TakesTheTwoLargePartsOut) {
  const auto parsed = parse_tokenizer_json(
      R"({"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0, "b": 7}, "merges": ["a b"],
          "unk_token": null}, "decoder": {"vocab": {"not": "this"}}})",
      "t.json");
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(parsed.value().vocabulary, ElementsAre(Pair("a", 0), Pair("b", 7)));
  EXPECT_THAT(parsed.value().merges, ElementsAre("a b"));
  EXPECT_EQ(to_json_line(parsed.value().rest),
            R"({"version":"1.0","model":{"type":"BPE","unk_token":null},)"
            R"("decoder":{"vocab":{"not":"this"}}})");
}

TEST(VocabularyJson, ReadsMergesThatAreWrittenAsPairs) {
  const auto parsed = parse_tokenizer_json(R"({"model": {"merges": [["a", "b"], "c d"]}})", "");
  EXPECT_THAT(parsed.value().merges, ElementsAre("a b", "c d"));
}

TEST(VocabularyJson, ReadsAVocabJson) {
  const auto parsed = parse_vocab_json(R"({"a": 1, "\u0120b": 0})", "vocab.json");
  EXPECT_THAT(parsed.value().vocabulary, ElementsAre(Pair("a", 1), Pair("\u0120b", 0)));
}

TEST(VocabularyJson, SaysWhatIsWrong) {
  EXPECT_THAT(fault_of("{"), HasSubstr("t.json: expected JSON"));
  EXPECT_THAT(fault_of(R"({"a": "\xFF"})"), HasSubstr("expected JSON"));
  EXPECT_THAT(fault_of("[]"), HasSubstr("expected a JSON object, found array"));
  EXPECT_THAT(fault_of(R"({"a": 1, "a": 2})"), HasSubstr("key \"a\" stands twice"));
  EXPECT_THAT(fault_of(R"({"model": {"vocab": {"a": "b"}}})"), HasSubstr("no whole number"));
  EXPECT_THAT(fault_of(R"({"model": {"vocab": {"a": {}}}})"), HasSubstr("no whole number"));
  EXPECT_THAT(fault_of(R"({"model": {"vocab": {"a": [1]}}})"), HasSubstr("no whole number"));
  EXPECT_THAT(fault_of(R"({"model": {"merges": [1]}})"), HasSubstr("neither a text nor two"));
  EXPECT_THAT(fault_of(R"({"model": {"merges": [["a"]]}})"), HasSubstr("neither a text nor two"));
  EXPECT_THAT(fault_of(R"({"model": {"merges": [[["a"]]]}})"), HasSubstr("neither a text nor two"));
  EXPECT_THAT(fault_of(R"({"model": {"merges": {"a": {}}}})"), HasSubstr("model.merges an array"));
  EXPECT_THAT(fault_of(R"({"model": {"vocab": []}})"), HasSubstr("model.vocab to be an object"));
  EXPECT_FALSE(parse_vocab_json("[1]", "").ok());
  EXPECT_FALSE(parse_vocab_json("1", "").ok());
  EXPECT_FALSE(parse_vocab_json("", "").ok());
}

TEST(VocabularyJson, RefusesDeepNestingAndHugeObjects) {
  EXPECT_THAT(fault_of(std::string(100000, '[')), HasSubstr("nested over"));
  std::string many = "{";
  for (int i = 0; i < 100000; ++i) many += fmt::format("\"{}\": 0,", i);
  EXPECT_THAT(fault_of(many), HasSubstr("too many keys"));
}

}  // namespace
}  // namespace rr::internal
