#include "rr/lm/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/base/random.h"
#include "rr/base/utf8.h"
#include "rr/lm/internal/bpe_tokenizer.h"
#include "rr/lm/internal/byte_alphabet.h"
#include "rr/lm/internal/nfc.h"
#include "rr/lm/internal/test_tokenizers.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

using internal::qwen_tokenizer;
using internal::smollm_tokenizer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<Json> lines_of(const std::filesystem::path& path) {
  std::vector<Json> lines;
  Result<LineReader> reader = LineReader::open(path);
  std::string line;
  while (reader->next(line).value()) lines.push_back(parse_json(line, reader->where()).value());
  return lines;
}

std::vector<std::string> split_text(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find(separator, begin)) != std::string::npos;) {
    parts.push_back(text.substr(begin, end - begin));
    begin = end + separator.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

TokenIds ids_in(const std::string& line) {
  TokenIds ids;
  std::istringstream in(line);
  for (TokenId id = 0; in >> id;) ids.push_back(id);
  return ids;
}

TEST(Tokenizer, GivesTheIdsOfLlamaCppForSmolLm) {
  const auto path = shared_data("golden-smollm2-135m/tokens.jsonl");
  RR_NEEDS_FILE(path);
  RR_NEEDS_FILE(default_model_file());
  const auto tokenizer = smollm_tokenizer();
  const std::vector<Json> lines = lines_of(path);
  EXPECT_EQ(lines.size(), 86u);
  for (const Json& line : lines) {
    const auto text = line["text"].get<std::string>();
    const auto ids = line["ids"].get<TokenIds>();
    EXPECT_EQ(tokenizer->encode(text), ids) << text;
    EXPECT_EQ(tokenizer->encode_with_special(text), line["ids_special"].get<TokenIds>()) << text;
    EXPECT_EQ(tokenizer->decode(ids), text);
  }
}

TEST(Tokenizer, GivesThePublishedIdsForQwen) {
  RR_NEEDS_FILE(shared_data("tokenizer-qwen2.5"));
  const auto tokenizer = qwen_tokenizer();
  const std::string stem = "tokenizer-qwen2.5/llama.cpp.qwen2.gguf";
  const auto texts =
      split_text(read_file(shared_data(stem + ".inp")).value(), "\n__ggml_vocab_test__\n");
  const auto ids = split_text(read_file(shared_data(stem + ".out")).value(), "\n");
  ASSERT_EQ(texts.size(), 47u);
  ASSERT_GE(ids.size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(tokenizer->encode(texts[i]), ids_in(ids[i])) << texts[i];
    EXPECT_EQ(tokenizer->decode(ids_in(ids[i])), internal::to_nfc(texts[i]));
  }
}

TEST(Tokenizer, GivesTheReferenceIdsForRealQuestions) {
  const auto path = shared_data("tokenizer-qwen2.5/real_text_vectors.jsonl");
  RR_NEEDS_FILE(path);
  const auto tokenizer = qwen_tokenizer();
  const std::vector<Json> lines = lines_of(path);
  EXPECT_EQ(lines.size(), 84u);
  for (const Json& line : lines) {
    const auto text = line["text"].get<std::string>();
    const auto ids = line["ids"].get<TokenIds>();
    EXPECT_EQ(tokenizer->encode(text), ids) << line["src"];
    EXPECT_EQ(tokenizer->decode(ids), internal::to_nfc(text));
  }
}

TEST(Tokenizer, GivesThePublishedIdsForGpt2) {
  // llama.cpp's models/ggml-vocab-gpt-2.gguf with its .inp and .out.
  const char* folder = std::getenv("REASONRANK_TEST_VOCABULARIES");
  if (folder == nullptr) GTEST_SKIP() << "needs REASONRANK_TEST_VOCABULARIES";
  const std::string stem = std::string(folder) + "/ggml-vocab-gpt-2.gguf";
  const auto tokenizer = Tokenizer::load(*ModelFiles::open(stem).value()).value();
  EXPECT_EQ(tokenizer->pretokenizer_name(), "gpt-2");
  const auto texts = split_text(read_file(stem + ".inp").value(), "\n__ggml_vocab_test__\n");
  const auto ids = split_text(read_file(stem + ".out").value(), "\n");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(tokenizer->encode(texts[i]), ids_in(ids[i])) << texts[i];
  }
}

// --- a vocabulary that can be read: the 256 bytes, "ab", "abc", two added tokens ---

enum TinyId : TokenId { kAb = 256, kAbc = 257, kImEnd = 258, kTool = 259 };

internal::TokenizerParts tiny_parts() {
  internal::TokenizerParts parts;
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    parts.tokens.push_back({internal::to_byte_alphabet({&c, 1}), internal::TokenKind::kNormal});
  }
  parts.tokens.push_back({"ab", internal::TokenKind::kNormal});
  parts.tokens.push_back({"abc", internal::TokenKind::kNormal});
  parts.tokens.push_back({"<|im_end|>", internal::TokenKind::kSpecial});
  parts.tokens.push_back({"<tool>", internal::TokenKind::kAdded});
  parts.merges = {"a b", "ab c"};
  parts.pretokenizer = internal::Pretokenizer::kQwen2;
  parts.nfc = true;
  parts.end_tokens = {kImEnd};
  parts.where = "tiny";
  return parts;
}

std::unique_ptr<Tokenizer> tiny_tokenizer() {
  return internal::make_bpe_tokenizer(tiny_parts()).value();
}

TEST(Tokenizer, LeavesSpecialTokensInATextPlain) {
  const auto tokenizer = tiny_tokenizer();
  const TokenIds ids = tokenizer->encode("ab<|im_end|>");
  EXPECT_EQ(ids.size(), 11u);  // "ab" and ten bytes
  EXPECT_EQ(tokenizer->decode(ids), "ab<|im_end|>");
  EXPECT_THAT(tokenizer->encode_with_special("ab<|im_end|>abc"), ElementsAre(kAb, kImEnd, kAbc));
}

TEST(Tokenizer, MakesControlTokensWhereTheTemplateWroteThemOnly) {
  const auto tokenizer = tiny_tokenizer();
  const std::string text = "<|im_end|>ab<|im_end|>";
  const TextRange second[] = {{12, 22}};
  const TokenIds ids = tokenizer->encode(text, second);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), kImEnd), 1);
  EXPECT_EQ(ids.back(), kImEnd);
  EXPECT_EQ(tokenizer->decode(ids), text);
}

TEST(Tokenizer, TakesARangeThatIsNoTokenAsPlainText) {
  const auto tokenizer = tiny_tokenizer();
  const TextRange odd[] = {{0, 1}, {1, 1}, {2, 3}};
  EXPECT_THAT(tokenizer->encode("abcab", odd), ElementsAre(kAbc, kAb));  // not cut at the ranges
  EXPECT_THAT(tokenizer->encode("ab", {}), ElementsAre(kAb));
}

TEST(Tokenizer, FindsAddedTokensThatAreNotSpecialInEveryText) {
  const auto tokenizer = tiny_tokenizer();
  EXPECT_THAT(tokenizer->encode("ab<tool>ab"), ElementsAre(kAb, kTool, kAb));
  EXPECT_FALSE(tokenizer->is_special(kTool));
  EXPECT_TRUE(tokenizer->is_special(kImEnd));
  EXPECT_EQ(tokenizer->decode(TokenIds{kAb, kImEnd, kTool}, true), "ab<tool>");
}

TEST(Tokenizer, RepairsAndNormalisesBeforeItEncodes) {
  const auto tokenizer = tiny_tokenizer();
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a\xF4\x90\x80\x80z")),
            "a\uFFFD\uFFFD\uFFFD\uFFFDz");
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("e\u0301")), "\u00E9");
  EXPECT_THAT(tokenizer->encode(""), IsEmpty());
}

TEST(Tokenizer, DropsBytesThatTheVocabularyLacksAsHuggingFaceDoes) {
  internal::TokenizerParts parts = tiny_parts();
  parts.tokens[0x04].kind = internal::TokenKind::kUnused;
  const auto tokenizer = internal::make_bpe_tokenizer(parts).value();
  EXPECT_THAT(tokenizer->encode("\x04"), IsEmpty());
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("!\x04!")), "!!");
}

TEST(Tokenizer, TakesAWordThatIsATokenWhereMergesAreIgnored) {
  internal::TokenizerParts parts = tiny_parts();
  parts.merges = {"a b"};  // "abc" cannot be merged
  EXPECT_EQ(internal::make_bpe_tokenizer(parts).value()->encode("abc").size(), 2u);
  parts.ignore_merges = true;
  EXPECT_THAT(internal::make_bpe_tokenizer(parts).value()->encode("abc"), ElementsAre(kAbc));
}

TEST(Tokenizer, RefusesPartsThatDoNotFit) {
  const auto fault = [](const internal::TokenizerParts& parts) {
    const auto made = internal::make_bpe_tokenizer(parts);
    return made.ok() ? std::string("accepted") : made.error().to_string();
  };
  internal::TokenizerParts parts = tiny_parts();
  parts.merges.push_back("x yz");
  EXPECT_EQ(fault(parts),
            "tiny: merge 3 \"x yz\" names or makes a token that the vocabulary lacks");
  parts.merges.back() = "xy";
  EXPECT_THAT(fault(parts), HasSubstr("is not two tokens"));
  parts = tiny_parts();
  parts.end_tokens = {260};
  EXPECT_THAT(fault(parts), HasSubstr("among the 260 of the vocabulary"));
  parts.tokens.clear();
  EXPECT_THAT(fault(parts), HasSubstr("found no tokens"));
}

TEST(Tokenizer, FindsTokensByTheirText) {
  const auto tokenizer = tiny_tokenizer();
  EXPECT_EQ(tokenizer->find_token("abc"), kAbc);
  EXPECT_EQ(tokenizer->find_token("<|im_end|>"), kImEnd);
  EXPECT_EQ(tokenizer->find_token("\xFF"), 0xFF);
  EXPECT_EQ(tokenizer->find_token("xyz"), std::nullopt);
  EXPECT_EQ(tokenizer->vocabulary_size(), 260u);
  EXPECT_THAT(tokenizer->end_tokens(), ElementsAre(kImEnd));
}

TEST(Tokenizer, KnowsSmolLmsSpecialTokens) {
  RR_NEEDS_FILE(default_model_file());
  const auto tokenizer = smollm_tokenizer();
  EXPECT_EQ(tokenizer->pretokenizer_name(), "smollm");
  EXPECT_EQ(tokenizer->vocabulary_size(), 49152u);
  EXPECT_THAT(tokenizer->end_tokens(), ElementsAre(2, 0));  // <|im_end|>, <|endoftext|>
  EXPECT_EQ(tokenizer->begin_token(), std::nullopt);
  EXPECT_EQ(tokenizer->find_token("<|im_start|>"), 1);
}

std::string random_bytes(RandomStream& random) {
  static const std::string kPieces[] = {"the ",     "ab",      "<|im_end|>", "<tool>",
                                        "\n",       "e\u0301", "\u4E2D",     "\U0001F999",
                                        "\xF0\x9F", "\x80",    "\xFF",       "\xED\xA0\x80"};
  std::string text;
  for (std::size_t n = random.below(20); n > 0; --n) {
    if (random.below(3) == 0) {
      text.push_back(static_cast<char>(random.below(256)));
    } else {
      text += kPieces[random.below(std::size(kPieces))];
    }
  }
  return text;
}

TEST(Tokenizer, GivesEveryTextBackRepairedAndNormalised) {
  const auto tokenizer = tiny_tokenizer();
  RandomStream random(1, 0);
  for (int i = 0; i < 20000; ++i) {
    const std::string text = random_bytes(random);
    // Added tokens are cut out before the rest is normalised; they cannot join with a mark.
    const std::string expected = internal::to_nfc(repair_utf8(text).text);
    ASSERT_EQ(tokenizer->decode(tokenizer->encode(text)), expected);
    ASSERT_EQ(tokenizer->decode(tokenizer->encode_with_special(text)), expected);
  }
}

TEST(Tokenizer, EncodesTheSameFromManyThreads) {
  const auto tokenizer = tiny_tokenizer();
  const std::string text = "ab abc cab <|im_end|> bca abcabc";
  const TokenIds expected = tiny_tokenizer()->encode(text);
  std::vector<TokenIds> results(8);
  std::vector<std::thread> threads;
  for (TokenIds& result : results) {
    threads.emplace_back([&] { result = tokenizer->encode(text); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(results, testing::Each(expected));
}

TEST(StreamDecoder, NeverSplitsACharacterAndGivesTheWholeText) {
  const auto tokenizer = tiny_tokenizer();
  RandomStream random(2, 0);
  for (int i = 0; i < 5000; ++i) {
    TokenIds ids;
    for (const char c : random_bytes(random)) ids.push_back(static_cast<unsigned char>(c));
    StreamDecoder decoder(*tokenizer);
    std::string text;
    for (const TokenId id : ids) {
      const std::string piece = decoder.put(id);
      ASSERT_TRUE(is_valid_utf8(piece));
      text += piece;
    }
    ASSERT_EQ(text + decoder.finish(), tokenizer->decode(ids));
  }
}

TEST(StreamDecoder, HoldsBackUntilTheCharacterIsThere) {
  const auto tokenizer = tiny_tokenizer();
  StreamDecoder decoder(*tokenizer);
  EXPECT_EQ(decoder.put('a'), "a");
  EXPECT_EQ(decoder.put(0xE4), "");
  EXPECT_EQ(decoder.put(0xB8), "");
  EXPECT_EQ(decoder.put(0xAD), "\u4E2D");
  EXPECT_EQ(decoder.put(0xE4), "");
  EXPECT_EQ(decoder.put('b'), "\uFFFDb");
  EXPECT_EQ(decoder.put(0xF0), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
  EXPECT_EQ(decoder.finish(), "");
}

}  // namespace
}  // namespace rr
