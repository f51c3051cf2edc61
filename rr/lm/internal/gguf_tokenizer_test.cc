#include "rr/lm/internal/gguf_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rr::internal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Json tiny_metadata() {
  return Json::parse(R"({
    "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "llama-bpe",
    "tokenizer.ggml.tokens": ["a", "b", "ab", "<|eot_id|>", "<tool>", "[PAD5]"],
    "tokenizer.ggml.token_type": [1, 1, 1, 3, 4, 5],
    "tokenizer.ggml.merges": ["a b"],
    "tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 4})");
}

std::string refusal(const Json& metadata) {
  const auto parts = parts_of_gguf(metadata, "m.gguf");
  return parts.ok() ? "accepted" : parts.error().to_string();
}

std::string refusal_with(const char* key, const Json& value) {
  Json metadata = tiny_metadata();
  metadata[key] = value;
  return refusal(metadata);
}

TEST(GgufTokenizer, ReadsKindsAndEnds) {
  const auto parts = parts_of_gguf(tiny_metadata(), "m.gguf");
  ASSERT_TRUE(parts.ok()) << parts.error().to_string();
  EXPECT_EQ(parts.value().pretokenizer, Pretokenizer::kLlama3);
  EXPECT_TRUE(parts.value().ignore_merges);
  EXPECT_FALSE(parts.value().nfc);
  EXPECT_THAT(parts.value().end_tokens, ElementsAre(4, 3));
  EXPECT_EQ(parts.value().tokens[4].kind, TokenKind::kSpecial);  // it ends replies
  EXPECT_EQ(parts.value().tokens[5].kind, TokenKind::kUnused);
  EXPECT_THAT(parts.value().merges, ElementsAre("a b"));
}

TEST(GgufTokenizer, PutsABeginTokenWhereTheFileOrTheFamilySaysSo) {
  Json metadata = tiny_metadata();
  EXPECT_EQ(parts_of_gguf(metadata, "").value().begin_token, 0);
  metadata["tokenizer.ggml.add_bos_token"] = false;
  EXPECT_EQ(parts_of_gguf(metadata, "").value().begin_token, std::nullopt);
  metadata = tiny_metadata();
  metadata["tokenizer.ggml.pre"] = "qwen2";
  EXPECT_EQ(parts_of_gguf(metadata, "").value().begin_token, std::nullopt);
  metadata["tokenizer.ggml.add_bos_token"] = true;
  EXPECT_EQ(parts_of_gguf(metadata, "").value().begin_token, 0);
}

TEST(GgufTokenizer, RefusesOtherKindsByName) {
  EXPECT_THAT(refusal_with("tokenizer.ggml.model", "llama"), HasSubstr("found \"llama\""));
  EXPECT_THAT(refusal_with("tokenizer.ggml.pre", "tekken"),
              HasSubstr("m.gguf: pre-tokenizer \"tekken\" is unknown; known are gpt-2, smollm"));
}

TEST(GgufTokenizer, RefusesWhatIsMissingOrOfAnotherType) {
  EXPECT_THAT(refusal(Json::object()), HasSubstr("tokenizer.ggml.model"));
  EXPECT_THAT(refusal_with("tokenizer.ggml.tokens", 5),
              HasSubstr("an array tokenizer.ggml.tokens"));
  EXPECT_THAT(refusal_with("tokenizer.ggml.tokens", {1, 2, 3, 4, 5, 6}),
              HasSubstr("expected token 0 to be a text"));
  EXPECT_THAT(refusal_with("tokenizer.ggml.token_type", {1}), HasSubstr("found 1 and 6"));
  EXPECT_THAT(refusal_with("tokenizer.ggml.merges", {1}), HasSubstr("expected merge 1"));
  EXPECT_THAT(refusal_with("tokenizer.ggml.eos_token_id", 6), HasSubstr("found 6"));
  EXPECT_THAT(refusal_with("tokenizer.ggml.eos_token_id", -1), HasSubstr("found -1"));
  EXPECT_THAT(refusal_with("tokenizer.ggml.bos_token_id", "x"), HasSubstr("found \"x\""));
}

}  // namespace
}  // namespace rr::internal
