#include "rr/lm/internal/hf_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rr/lm/internal/fake_model_files.h"

namespace rr::internal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Json kByteLevel = Json::parse(
    R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true})");

// Letters a and b, the blank, "ab", and two added tokens.
Json tiny_tokenizer() {
  Json tokenizer = Json::parse(R"({
    "added_tokens": [
      {"id": 4, "content": "<|im_end|>", "single_word": false, "lstrip": false, "rstrip": false,
       "normalized": false, "special": true},
      {"id": 6, "content": "<tool>", "special": false}],
    "normalizer": null,
    "post_processor": null,
    "model": {"type": "BPE", "byte_fallback": false,
              "vocab": {"a": 0, "b": 1, "\u0120": 2, "ab": 3}, "merges": [["a", "b"]]}})");
  tokenizer["pre_tokenizer"] = kByteLevel;
  return tokenizer;
}

FakeModelFiles folder_of(const Json& tokenizer, Json config = Json::object()) {
  return FakeModelFiles::folder(std::move(config), {{"tokenizer.json", tokenizer.dump()}});
}

std::string refusal(const Json& tokenizer) {
  const auto parts = parts_of_hf_folder(folder_of(tokenizer));
  return parts.ok() ? "accepted" : parts.error().to_string();
}

TEST(HfTokenizer, ReadsATokenizerJson) {
  const auto parts = parts_of_hf_folder(folder_of(tiny_tokenizer()));
  ASSERT_TRUE(parts.ok()) << parts.error().to_string();
  ASSERT_EQ(parts.value().tokens.size(), 7u);
  EXPECT_EQ(parts.value().tokens[3].text, "ab");
  EXPECT_EQ(parts.value().tokens[3].kind, TokenKind::kNormal);
  EXPECT_EQ(parts.value().tokens[4].kind, TokenKind::kSpecial);
  EXPECT_EQ(parts.value().tokens[5].kind, TokenKind::kUnused);  // a hole
  EXPECT_EQ(parts.value().tokens[6].kind, TokenKind::kAdded);
  EXPECT_THAT(parts.value().merges, ElementsAre("a b"));
  EXPECT_THAT(parts.value().end_tokens, ElementsAre(4));
  EXPECT_EQ(parts.value().begin_token, std::nullopt);
  EXPECT_EQ(parts.value().pretokenizer, Pretokenizer::kGpt2);
  EXPECT_FALSE(parts.value().nfc);
  EXPECT_FALSE(parts.value().ignore_merges);
}

TEST(HfTokenizer, KnowsTheFamiliesByTheirPreTokenizers) {
  const auto split = [](Pretokenizer family) {
    Json step = Json::parse(R"({"type": "Split", "behavior": "Isolated", "invert": false})");
    step["pattern"]["Regex"] = pretokenizer_pattern(family);
    Json byte_level = kByteLevel;
    byte_level["use_regex"] = false;
    return Json{{"type", "Sequence"}, {"pretokenizers", {step, byte_level}}};
  };
  const Json digits = Json::parse(R"({"type": "Digits", "individual_digits": true})");
  const Json smollm = {{"type", "Sequence"}, {"pretokenizers", {digits, kByteLevel}}};
  EXPECT_EQ(pretokenizer_of_json(kByteLevel, "").value(), Pretokenizer::kGpt2);
  EXPECT_EQ(pretokenizer_of_json(smollm, "").value(), Pretokenizer::kSmolLm);
  for (const auto family : {Pretokenizer::kGpt2, Pretokenizer::kLlama3, Pretokenizer::kQwen2}) {
    EXPECT_EQ(pretokenizer_of_json(split(family), "").value(), family);
  }
}

TEST(HfTokenizer, RefusesOtherPreTokenizersWithTheKnownOnes) {
  Json tokenizer = tiny_tokenizer();
  tokenizer["pre_tokenizer"] = Json::parse(R"({"type": "Metaspace"})");
  EXPECT_THAT(refusal(tokenizer), HasSubstr(R"({"type":"Metaspace"} is unknown; known are gpt-2)"));
  tokenizer["pre_tokenizer"] = nullptr;
  EXPECT_THAT(refusal(tokenizer), HasSubstr("is unknown"));
  tokenizer["pre_tokenizer"] = kByteLevel;
  tokenizer["pre_tokenizer"]["add_prefix_space"] = true;
  EXPECT_THAT(refusal(tokenizer), HasSubstr("is unknown"));
}

TEST(HfTokenizer, RefusesOtherKindsOfTokenizersByName) {
  Json tokenizer = tiny_tokenizer();
  tokenizer["model"]["type"] = "WordPiece";
  EXPECT_THAT(refusal(tokenizer), HasSubstr("\"WordPiece\", which is not supported"));
  tokenizer = tiny_tokenizer();
  tokenizer["model"]["byte_fallback"] = true;
  EXPECT_THAT(refusal(tokenizer), HasSubstr("SentencePiece"));
  tokenizer = tiny_tokenizer();
  tokenizer["model"]["end_of_word_suffix"] = "</w>";
  EXPECT_THAT(refusal(tokenizer), HasSubstr("end_of_word_suffix"));
  tokenizer = tiny_tokenizer();
  tokenizer["normalizer"] = Json::parse(R"({"type": "Lowercase"})");
  EXPECT_THAT(refusal(tokenizer), HasSubstr("normalizer \"Lowercase\" is unknown"));
  tokenizer = tiny_tokenizer();
  tokenizer["added_tokens"][0]["rstrip"] = true;
  EXPECT_THAT(refusal(tokenizer), HasSubstr("\"<|im_end|>\" with \"rstrip\" is not supported"));
}

TEST(HfTokenizer, RefusesIdsThatCannotBe) {
  Json tokenizer = tiny_tokenizer();
  tokenizer["model"]["vocab"]["c"] = 2000000000;
  EXPECT_THAT(refusal(tokenizer), HasSubstr("expected ids below"));
  tokenizer["model"]["vocab"]["c"] = -1;
  EXPECT_THAT(refusal(tokenizer), HasSubstr("found -1 for \"c\""));
  tokenizer["model"]["vocab"]["c"] = 0;
  EXPECT_THAT(refusal(tokenizer), HasSubstr("expected each id once, found 0 for \"a\" and \"c\""));
  tokenizer = tiny_tokenizer();
  tokenizer["added_tokens"][0]["id"] = -5;
  EXPECT_THAT(refusal(tokenizer), HasSubstr("found -5"));
  const auto parts = parts_of_hf_folder(folder_of(tiny_tokenizer(), {{"eos_token_id", 99}}));
  EXPECT_THAT(parts.error().to_string(), HasSubstr("one of 7 token ids, found 99"));
}

TEST(HfTokenizer, TakesEndTokensFromAllFilesThatNameThem) {
  const auto files = FakeModelFiles::folder(
      {{"eos_token_id", {3}}},
      {{"tokenizer.json", tiny_tokenizer().dump()},
       {"generation_config.json", R"({"eos_token_id": [6, 4]})"},
       {"tokenizer_config.json", R"({"eos_token": {"content": "<tool>"}})"}});
  const auto parts = parts_of_hf_folder(files);
  EXPECT_THAT(parts.value().end_tokens, ElementsAre(6, 4, 3));
  EXPECT_EQ(parts.value().tokens[3].kind, TokenKind::kNormal);  // "ab" stays what merges make
}

TEST(HfTokenizer, TakesTheBeginTokenFromThePostProcessor) {
  Json tokenizer = tiny_tokenizer();
  tokenizer["post_processor"] = Json::parse(R"({"type": "Sequence", "processors": [
    {"type": "ByteLevel"},
    {"type": "TemplateProcessing", "single": [
      {"SpecialToken": {"id": "<|im_end|>", "type_id": 0}}, {"Sequence": {"id": "A"}}]}]})");
  EXPECT_EQ(parts_of_hf_folder(folder_of(tokenizer)).value().begin_token, 4);
}

TEST(HfTokenizer, ReadsVocabJsonWithMerges) {
  const auto files = FakeModelFiles::folder(
      {{"model_type", "qwen2"}}, {{"vocab.json", R"({"a": 0, "b": 1, "ab": 2})"},
                                  {"merges.txt", "#version: 0.2\na b\r\n# #\n\n"},
                                  {"added_tokens.json", R"({"<|im_end|>": 3, "<think>": 4})"}});
  const auto parts = parts_of_hf_folder(files);
  ASSERT_TRUE(parts.ok()) << parts.error().to_string();
  EXPECT_EQ(parts.value().pretokenizer, Pretokenizer::kQwen2);
  EXPECT_TRUE(parts.value().nfc);
  EXPECT_THAT(parts.value().merges, ElementsAre("a b", "# #"));
  EXPECT_EQ(parts.value().tokens[3].kind, TokenKind::kSpecial);
  EXPECT_EQ(parts.value().tokens[4].kind, TokenKind::kAdded);
}

TEST(HfTokenizer, PrefersTheFlagsOfTokenizerConfig) {
  const auto files = FakeModelFiles::folder(
      Json::object(),
      {{"vocab.json", R"({"a": 0})"},
       {"merges.txt", ""},
       {"added_tokens.json", R"({"<|im_end|>": 3})"},
       {"tokenizer_config.json", R"({"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder":
          {"1": {"content": "<|x|>", "special": false}, "2": {"content": "y", "special": true}}})"}});
  const auto parts = parts_of_hf_folder(files);
  ASSERT_TRUE(parts.ok()) << parts.error().to_string();
  ASSERT_EQ(parts.value().tokens.size(), 3u);
  EXPECT_EQ(parts.value().tokens[1].kind, TokenKind::kAdded);
  EXPECT_EQ(parts.value().tokens[2].kind, TokenKind::kSpecial);
}

TEST(HfTokenizer, SaysWhatAFolderLacks) {
  EXPECT_THAT(parts_of_hf_folder(FakeModelFiles::folder(Json::object(), {})).error().to_string(),
              HasSubstr("expected a tokenizer.json, or a vocab.json with a merges.txt"));
  const auto unknown_class =
      FakeModelFiles::folder({{"model_type", "llama"}}, {{"vocab.json", "{}"}, {"merges.txt", ""}});
  EXPECT_THAT(parts_of_hf_folder(unknown_class).error().to_string(), HasSubstr("tokenizer_class"));
  const auto bad_decoder = FakeModelFiles::folder(
      Json::object(), {{"vocab.json", R"({"a": 0})"},
                       {"merges.txt", ""},
                       {"tokenizer_config.json", R"({"tokenizer_class": "Qwen2Tokenizer",
                           "added_tokens_decoder": {"x": "y"}})"}});
  EXPECT_THAT(parts_of_hf_folder(bad_decoder).error().to_string(),
              HasSubstr("expected an added token to have an id and a content"));
}

}  // namespace
}  // namespace rr::internal
