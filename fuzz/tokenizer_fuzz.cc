// Any bytes encode, and decoding gives them back, repaired and in normal form C. The vocabulary is
// made here: all bytes, a few merges, a special and an added token.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "rr/base/utf8.h"
#include "rr/lm/internal/bpe_tokenizer.h"
#include "rr/lm/internal/byte_alphabet.h"
#include "rr/lm/internal/nfc.h"

namespace {

using rr::internal::Pretokenizer;
using rr::internal::TokenizerParts;
using rr::internal::TokenKind;

std::unique_ptr<rr::Tokenizer> tokenizer_of(Pretokenizer pretokenizer) {
  TokenizerParts parts;
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    parts.tokens.push_back({rr::internal::to_byte_alphabet({&c, 1}), TokenKind::kNormal});
  }
  for (const char* merged : {"aa", "aaaa", "th", "the", "\u0120the", "..", "\u00C3\u00A9"}) {
    parts.tokens.push_back({merged, TokenKind::kNormal});
  }
  parts.merges = {"a a", "aa aa", "t h", "th e", "\u0120 the", ". .", "\u00C3 \u00A9"};
  parts.tokens.push_back({"<|im_end|>", TokenKind::kSpecial});
  parts.tokens.push_back({"<tool>", TokenKind::kAdded});
  parts.pretokenizer = pretokenizer;
  parts.where = "fuzz";
  return rr::internal::make_bpe_tokenizer(parts).value();
}

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const rr::Tokenizer& tokenizer, std::string_view bytes, const std::string& expected) {
  const rr::TokenIds plain = tokenizer.encode(bytes);
  require(tokenizer.decode(plain) == expected);
  for (const rr::TokenId id : plain) require(!tokenizer.is_special(id));
  require(tokenizer.decode(tokenizer.encode_with_special(bytes)) == expected);
  rr::StreamDecoder decoder(tokenizer);
  std::string streamed;
  for (const rr::TokenId id : plain) {
    const std::string piece = decoder.put(id);
    require(rr::is_valid_utf8(piece));
    streamed += piece;
  }
  require(streamed + decoder.finish() == expected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::unique_ptr<rr::Tokenizer> kTokenizers[] = {
      tokenizer_of(Pretokenizer::kGpt2), tokenizer_of(Pretokenizer::kSmolLm),
      tokenizer_of(Pretokenizer::kLlama3), tokenizer_of(Pretokenizer::kQwen2)};
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string repaired = rr::repair_utf8(bytes).text;
  for (const auto& tokenizer : kTokenizers) check(*tokenizer, bytes, repaired);
  const std::string normal = rr::internal::to_nfc(repaired);
  require(rr::is_valid_utf8(normal));
  require(rr::internal::to_nfc(normal) == normal);
  return 0;
}
